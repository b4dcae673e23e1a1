/*
 * A signal of ours and one of a witness are the same when number, code and sender are. Of the
 * standard signals one that is pending stands for all that are sent meanwhile: so what a witness
 * has got explains all of the same kind that are undecided. Real-time signals are counted, one
 * for one.
 *
 * `timeout` signals first its child, us, and then its group. If we were quick there are two here
 * and the witness has one, and the command is to get one. That is not what it is when somebody
 * signals the group and then, on a reply of the command's, us. So what a witness says of a signal
 * that had come to us before it came to the witness holds for one more that comes right after.
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
    relay->undecided[relay->count].is_explained = false;
    relay->undecided[relay->count++].since_ns = now_ns;
}

/* Does what a witness has got explain anything? Several may explain the same, if that was pending
 * here while they came. */
static bool relay_explain(struct relay *relay, const struct witnessed *seen, uint64_t until_ns)
{
    bool is_counted = seen->signal >= SIGRTMIN, found = false;
    for (unsigned i = 0; i < relay->count && !(found && is_counted); i++) {
        bool is_taken = is_counted && relay->undecided[i].is_explained;
        if (is_taken || !is_same(&relay->undecided[i].signal, seen) ||
            relay->undecided[i].since_ns > until_ns)
            continue;
        relay->undecided[i].is_explained = true;
        found = true;
    }
    return found;
}

static void remove_explained(struct relay *relay)
{
    for (unsigned i = relay->count; i-- > 0;)
        if (relay->undecided[i].is_explained)
            remove_at(relay, i);
}

static void relay_keep(struct relay *relay, const struct witnessed *seen, bool has_explained)
{
    if (relay->seen_count == RELAY_MAX)
        memmove(relay->seen, relay->seen + 1, --relay->seen_count * sizeof *relay->seen);
    relay->seen[relay->seen_count].one = *seen;
    relay->seen[relay->seen_count++].has_explained = has_explained;
}

/* Those of earlier testimonies, which explain one more within `close_ns`. */
static void look_through_kept(struct relay *relay, uint64_t oldest_ns, uint64_t close_ns)
{
    unsigned count = relay->seen_count;
    relay->seen_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct witnessed one = relay->seen[i].one;
        bool again = relay->seen[i].has_explained;
        if (one.time_ns >= oldest_ns &&
            !relay_explain(relay, &one, again ? one.time_ns + close_ns : UINT64_MAX))
            relay_keep(relay, &one, again);
    }
}

void relay_receive_late(struct relay *relay)
{
    look_through_kept(relay, 0, RELAY_PATIENCE_RUNNING_NS);
    remove_explained(relay);
}

/* Had the witness got it before we took ours? Then ours is the same, or was one with it. */
static bool was_there(const struct testimony *testimony, const struct witnessed *seen)
{
    return seen->time_ns <= testimony->looked_ns || testimony->pending >> (seen->signal - 1) & 1;
}

void relay_witness(struct relay *relay, const struct testimony *testimony)
{
    look_through_kept(relay, testimony->oldest_ns, RELAY_CLOSE_NS);
    for (unsigned i = 0; i < testimony->count; i++) {
        const struct witnessed *seen = &testimony->seen[i];
        if (seen->time_ns < testimony->oldest_ns)
            continue;
        bool explained = relay_explain(relay, seen, UINT64_MAX);
        if (!explained || (seen->signal < SIGRTMIN && !was_there(testimony, seen)))
            relay_keep(relay, seen, explained);
    }
    remove_explained(relay);
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
