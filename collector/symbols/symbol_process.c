/*
 * Keeper and worker each have a socket pair (SOCK_SEQPACKET) with us. The keeper receives the other
 * end of a worker's and forks; the worker receives requests, some with descriptors, and answers
 * questions. A worker's death shows as the end of its socket, behind all that it had answered.
 */
#include "collector/symbols/symbol_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUESTION_SECONDS_MAX 20                     /* computing time */
#define WORKER_BYTES_MAX     ((rlim_t)6 << 30)      /* address space */
#define OPEN_BYTES_MAX       MODULE_DEBUG_BYTES_MAX /* debug information kept between questions */
#define FILES                3
#define MODULES_MAX          65536u

/* A sanitizer's own tables take more address space than a worker may have. GCC says so by macros.
 */
#ifdef __has_feature
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

struct request {
    uint64_t address;
    uint32_t module;
    uint8_t is_question;
    uint8_t depth;      /* enum module_depth */
    uint8_t has[FILES]; /* which descriptors come with it */
};

struct answer {
    uint8_t has_dwarf;
    uint8_t symbol[NATIVE_SYMBOL_BYTES_MAX];
};

/* --- messages with descriptors -------------------------------------------------------------------
 */

union control {
    char bytes[CMSG_SPACE(FILES * sizeof(int))];
    struct cmsghdr header;
};

static bool send_with(int channel, const void *data, size_t bytes, const int *files, size_t count)
{
    union control control;
    struct iovec part = {(void *)data, bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof *files);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof *files);
        memcpy(CMSG_DATA(&control.header), files, count * sizeof *files);
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes;
}

/* Waits for a message of `bytes` bytes; *count descriptors come with it. False: the end. */
static bool receive_with(int channel, void *data, size_t bytes, int files[FILES], size_t *count)
{
    union control control;
    struct iovec part = {data, bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    while ((got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    const struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    *count = 0;
    if (header && header->cmsg_type == SCM_RIGHTS) {
        *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof *files;
        memcpy(files, CMSG_DATA(header), *count * sizeof *files);
    }
    return got == (ssize_t)bytes;
}

/* --- the worker ----------------------------------------------------------------------------------
 */

struct worker {
    int channel;
    struct module_reader *readers[MODULES_MAX];
    uint64_t used[MODULES_MAX]; /* number of the latest question */
    uint64_t questions;
    uint32_t end; /* of the modules it knows */
};

static void open_module(struct worker *worker, const struct request *request, const int *files,
                        size_t count)
{
    int at[FILES];
    size_t next = 0;
    for (size_t i = 0; i < FILES; i++)
        at[i] = request->has[i] && next < count ? files[next++] : -1;
    const struct module_files taken = {at[0], at[1], at[2]};
    if (request->module >= MODULES_MAX)
        return;
    module_reader_free(worker->readers[request->module]);
    worker->readers[request->module] = module_reader_new(&taken, (enum module_depth)request->depth);
    if (request->module >= worker->end)
        worker->end = request->module + 1;
}

/* Gives back what was not used longest, while too much is open; `kept` stays. */
static void make_room(struct worker *worker, uint32_t kept)
{
    for (;;) {
        uint64_t sum = 0;
        uint32_t oldest = kept;
        for (uint32_t i = 0; i < worker->end; i++) {
            uint64_t bytes = worker->readers[i] ? module_reader_bytes(worker->readers[i]) : 0;
            sum += bytes;
            if (bytes && i != kept && (oldest == kept || worker->used[i] < worker->used[oldest]))
                oldest = i;
        }
        if (sum <= OPEN_BYTES_MAX || oldest == kept)
            return;
        module_reader_release(worker->readers[oldest]);
    }
}

static void limit_time(time_t seconds)
{
    const struct itimerval limit = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static bool answer_question(struct worker *worker, const struct request *request)
{
    static struct answer answer;
    struct module_reader *reader =
        request->module < MODULES_MAX ? worker->readers[request->module] : NULL;
    struct native_symbol *symbol = NULL;
    if (reader) {
        uint64_t before = module_reader_bytes(reader);
        worker->used[request->module] = ++worker->questions;
        limit_time(QUESTION_SECONDS_MAX);
        symbol = module_reader_find(reader, request->address);
        limit_time(0);
        if (module_reader_bytes(reader) != before)
            make_room(worker, request->module);
    }
    const uint8_t *end = symbol ? native_symbol_pack(answer.symbol, symbol) : answer.symbol;
    size_t bytes = (size_t)(end - (const uint8_t *)&answer);
    native_symbol_free(symbol);
    answer.has_dwarf = reader && module_reader_has_dwarf(reader);
    return send(worker->channel, &answer, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

_Noreturn static void work(int channel)
{
    static struct worker worker;
    struct request request;
    int files[FILES];
    size_t count;
    bool goes_on = true;
    worker.channel = channel;
    while (goes_on && receive_with(channel, &request, sizeof request, files, &count)) {
        if (request.is_question)
            goes_on = answer_question(&worker, &request);
        else
            open_module(&worker, &request, files, count);
    }
    _exit(0);
}

/* --- the keeper ----------------------------------------------------------------------------------
 */

/* The terminal's and the service manager's signals are for the collector. A worker dies of its own
 * faults without a word and without a core. */
static void leave_the_collector(int channel)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t none;
    const struct rlimit no_core = {0, 0};
    sigemptyset(&none);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPROF, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    const struct rlimit space = {WORKER_BYTES_MAX, WORKER_BYTES_MAX};
    if (!HAS_SANITIZER)
        setrlimit(RLIMIT_AS, &space);
    int kept = fcntl(channel, F_DUPFD, 3); /* ours may be one of the standard three */
    int nothing = open("/dev/null", O_RDWR);
    for (int file = 0; nothing >= 0 && file < 3; file++)
        dup2(nothing, file);
    dup2(kept, 3);
    close_range(4, ~0u, 0);
    prctl(PR_SET_NAME, "heapline-names");
}

/* A worker without its collector has nothing to do, whatever it is at. */
static void end_worker(pid_t worker)
{
    if (worker <= 0)
        return;
    kill(worker, SIGKILL);
    while (waitpid(worker, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* There is one worker at a time: a new one is asked for when the last is dead or was let go. */
_Noreturn static void keep(int channel)
{
    leave_the_collector(channel);
    char byte;
    int files[FILES];
    size_t count;
    pid_t worker = 0;
    while (receive_with(3, &byte, 1, files, &count) && count == 1) {
        end_worker(worker);
        worker = fork();
        if (worker == 0) {
            close(3);
            work(files[0]);
        }
        close(files[0]);
    }
    end_worker(worker);
    _exit(0);
}

/* --- our side ------------------------------------------------------------------------------------
 */

bool symbol_process_start(struct symbol_process *process)
{
    int ends[2];
    *process = (struct symbol_process){.keeper = -1, .worker = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    process->keeper_pid = fork();
    if (process->keeper_pid == 0)
        keep(ends[1]);
    close(ends[1]);
    process->keeper = ends[0];
    if (process->keeper_pid < 0) {
        close(ends[0]);
        process->keeper = -1;
    }
    return process->keeper >= 0;
}

void symbol_process_dismiss(struct symbol_process *process)
{
    if (process->worker >= 0)
        close(process->worker);
    process->worker = -1;
}

void symbol_process_stop(struct symbol_process *process)
{
    symbol_process_dismiss(process);
    if (process->keeper < 0)
        return;
    close(process->keeper);
    process->keeper = -1;
    while (waitpid(process->keeper_pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

bool symbol_process_hire(struct symbol_process *process)
{
    int ends[2];
    char byte = 0;
    if (process->worker >= 0)
        return true;
    if (process->keeper < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    bool sent = send_with(process->keeper, &byte, 1, &ends[1], 1);
    close(ends[1]);
    process->worker = ends[0];
    if (!sent)
        symbol_process_dismiss(process);
    return sent;
}

bool symbol_process_open(struct symbol_process *process, uint32_t module,
                         const struct module_files *files, enum module_depth depth)
{
    const int all[FILES] = {files->own, files->debug, files->shared};
    int sent[FILES];
    size_t count = 0;
    struct request request = {.module = module, .depth = (uint8_t)depth};
    for (size_t i = 0; i < FILES; i++)
        if (all[i] >= 0) {
            request.has[i] = 1;
            sent[count++] = all[i];
        }
    return send_with(process->worker, &request, sizeof request, sent, count);
}

bool symbol_process_ask(struct symbol_process *process, uint32_t module, uint64_t address)
{
    const struct request request = {.module = module, .address = address, .is_question = 1};
    return send_with(process->worker, &request, sizeof request, NULL, 0);
}

struct symbol_answer symbol_process_answer(struct symbol_process *process, int wait_ms)
{
    static struct answer answer;
    struct symbol_answer result = {.kind = SYMBOL_ANSWER_GONE};
    struct pollfd ready = {.fd = process->worker, .events = POLLIN};
    ssize_t got;
    if (poll(&ready, 1, wait_ms) == 0 || (!ready.revents && errno == EINTR)) {
        result.kind = SYMBOL_ANSWER_NONE;
        return result;
    }
    /* A worker that died with requests unread gives this once, before what it had answered. */
    while ((got = recv(process->worker, &answer, sizeof answer, MSG_DONTWAIT)) < 0 &&
           (errno == ECONNRESET || errno == EINTR))
        ;
    if (got <= 0) {
        symbol_process_dismiss(process);
        return result;
    }
    const uint8_t *at = answer.symbol;
    result.kind = SYMBOL_ANSWER;
    result.has_dwarf = answer.has_dwarf;
    result.symbol = native_symbol_unpack(&at, (const uint8_t *)&answer + got);
    return result;
}
