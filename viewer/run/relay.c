/*
 * A signal of ours and one of a witness are the same when number, code and sender are. Of the
 * standard signals one that is pending stands for all that are sent meanwhile: so what a witness
 * has got answers for all of the same kind that are undecided, as when `timeout` signals first its
 * child and then its whole group. Real-time signals are counted, one for one.
 *
 * As the kernel does it, a stop takes back a SIGCONT that is still to come, and the other way
 * round.
 */
#include "viewer/run/relay.h"

#include <signal.h>
#include <string.h>

#include "viewer/run/job.h"

/* So often it is looked whether a sender still runs. */
#define LOOK_EVERY_NS UINT64_C(5000000)

static bool is_stop(uint32_t number)
{
    return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

static bool is_same(const struct signalfd_siginfo *signal, const struct witnessed *seen)
{
    return signal->ssi_signo == (uint32_t)seen->signal && signal->ssi_code == seen->code &&
           signal->ssi_pid == (uint32_t)seen->sender;
}

static void remove_at(struct relay *relay, unsigned at)
{
    memmove(relay->undecided + at, relay->undecided + at + 1,
            (--relay->count - at) * sizeof *relay->undecided);
}

void relay_receive(struct relay *relay, const struct signalfd_siginfo *signal, uint64_t now_ns)
{
    for (unsigned i = relay->count; i-- > 0;) {
        uint32_t earlier = relay->undecided[i].signal.ssi_signo;
        if (signal->ssi_signo == SIGCONT ? is_stop(earlier)
                                         : is_stop(signal->ssi_signo) && earlier == SIGCONT)
            remove_at(relay, i);
    }
    relay->undecided[relay->count].signal = *signal;
    relay->undecided[relay->count++].since_ns = now_ns;
}

/* Does what a witness has got answer for anything? */
static bool answers(struct relay *relay, const struct witnessed *seen)
{
    bool is_counted = seen->signal >= SIGRTMIN, found = false;
    for (unsigned i = 0; i < relay->count && !(found && is_counted);) {
        if (is_same(&relay->undecided[i].signal, seen)) {
            remove_at(relay, i);
            found = true;
        } else {
            i++;
        }
    }
    return found;
}

static void keep(struct relay *relay, const struct witnessed *seen)
{
    if (relay->seen_count == RELAY_MAX)
        memmove(relay->seen, relay->seen + 1, --relay->seen_count * sizeof *relay->seen);
    relay->seen[relay->seen_count++] = *seen;
}

void relay_witness(struct relay *relay, const struct witnessed *seen, unsigned count,
                   uint64_t oldest_ns)
{
    unsigned before = relay->seen_count;
    relay->seen_count = 0;
    for (unsigned i = 0; i < before + count; i++) {
        const struct witnessed one = i < before ? relay->seen[i] : seen[i - before];
        if (one.time_ns >= oldest_ns && !answers(relay, &one))
            keep(relay, &one);
    }
}

static bool is_due(const struct relay *relay, unsigned at, uint64_t now_ns)
{
    uint64_t waited = now_ns - relay->undecided[at].since_ns;
    pid_t sender = (pid_t)relay->undecided[at].signal.ssi_pid;
    if (waited < RELAY_PATIENCE_NS)
        return false;
    return waited >= RELAY_PATIENCE_RUNNING_NS || !sender || !process_is_running(sender);
}

bool relay_take(struct relay *relay, uint64_t now_ns, struct signalfd_siginfo *signal)
{
    for (unsigned i = 0; i < relay->count; i++)
        if (is_due(relay, i, now_ns)) {
            *signal = relay->undecided[i].signal;
            remove_at(relay, i);
            return true;
        }
    return false;
}

int relay_timeout(const struct relay *relay, uint64_t now_ns)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < relay->count; i++) {
        uint64_t due = relay->undecided[i].since_ns + RELAY_PATIENCE_NS;
        uint64_t left = due > now_ns ? due - now_ns : LOOK_EVERY_NS;
        least = left < least ? left : least;
    }
    return relay->count ? (int)(least / 1000000) + 1 : -1;
}
