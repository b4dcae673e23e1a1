/*
 * Runs, each in a child process: a session that dies, runs out of memory or meets a damaged stream
 * takes nobody else with it.
 */
#include "collector/daemon/runs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/base/clock.h"
#include "collector/base/log.h"
#include "collector/peer/whereabouts.h"
#include "collector/session/session.h"
#include "control.h"
#include "ring.h"
#include "wire.h"

#define RECORDING ".heapline"
#define FILES_MAX 10000u
/* When there are as many, those that come share the memory. */
#define RUNS_FEW        16u
#define END_PATIENCE_NS UINT64_C(30000000000)
#define END_PAUSE_MS    20

/* --- answers --- */

/* Tells an arrival that it is not taken in, and the log. */
static void refuse_arrival(struct arrival *arrival, enum welcome_verdict verdict,
                           const char *reason)
{
    if (arrival->hello.carrier == HELLO_RUN) {
        struct control_message message = {.kind = CONTROL_FAILED};
        snprintf(message.text, sizeof message.text, "the daemon says: %s", reason);
        send(arrival->connection, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        arrival_refuse(arrival, verdict);
    }
    if (verdict == WELCOME_DECLINED)
        return;
    log_begin(LOG_LEVEL_WARNING, "refused");
    log_number("pid", arrival_pid(arrival));
    log_text("reason", reason);
    log_end();
}

/* --- names --- */

static bool is_name(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || length > HELLO_NAME_MAX || *text == '.')
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
            return false;
    return true;
}

/* The program or script that a command's words name. */
static const char *program_of(const struct whereabouts *whereabouts)
{
    const char *word = whereabouts->words, *end = word + whereabouts->bytes;
    const char *slash = strrchr(word, '/');
    bool python = whereabouts->bytes && strncmp(slash ? slash + 1 : word, "python", 6) == 0;
    while (python && word < end && (word == whereabouts->words || *word == '-')) {
        if (word[0] == '-' && word[1] == 'c')
            return whereabouts->words;
        word += strlen(word) + 1;
    }
    return word < end ? word : whereabouts->words;
}

/* What a file may be called after it: its last part, without what could mean something. */
static void make_name(char name[HELLO_NAME_MAX + 1], const char *text)
{
    const char *slash = strrchr(text, '/');
    size_t length = 0;
    for (text = slash ? slash + 1 : text; *text && length < HELLO_NAME_MAX; text++, length++) {
        bool plain = isalnum((unsigned char)*text) || strchr(length ? "_-." : "_-", *text);
        name[length] = plain ? *text : '_';
    }
    name[length] = 0;
    char *suffix = strstr(name, ".py");
    if (suffix && !suffix[3])
        *suffix = 0;
    if (!*name)
        strcpy(name, "run");
}

/* Has a session been told to make this file, and perhaps not done so yet? */
static bool is_promised(const struct runs *runs, const char *file)
{
    for (unsigned i = 0; i < runs->count; i++)
        if (strcmp(runs->list[i]->file, file) == 0)
            return true;
    return false;
}

/* A file that does not exist yet; false when there are too many. */
static bool choose_file(const struct runs *runs, struct daemon_run *run,
                        const struct arrival *arrival, const struct whereabouts *whereabouts)
{
    char name[HELLO_NAME_MAX + 1], number[16] = "";
    const char *given = arrival_detail(arrival, "name");
    make_name(name, run->named ? run->key : given ? given : program_of(whereabouts));
    if (!run->named)
        snprintf(number, sizeof number, ".%u",
                 arrival->peer.pid && !run->controlled ? (unsigned)arrival->peer.pid
                                                       : arrival->hello.process);
    for (unsigned i = 1; i <= FILES_MAX && access(runs->options->folder, W_OK | X_OK) == 0; i++) {
        char again[16] = "";
        if (i > 1)
            snprintf(again, sizeof again, "-%u", i);
        int length = snprintf(run->file, sizeof run->file, "%s/%s%s%s" RECORDING,
                              runs->options->folder, name, number, again);
        if (length < (int)sizeof run->file && !is_promised(runs, run->file) &&
            access(run->file, F_OK) != 0)
            return errno == ENOENT;
    }
    return false;
}

/* --- finding and beginning --- */

static struct daemon_run *find_run(const struct runs *runs, const char *key, bool named)
{
    for (unsigned i = 0; i < runs->count; i++) {
        struct daemon_run *run = runs->list[i];
        if (!run->leaving && run->named == named && strcmp(run->key, key) == 0)
            return run;
    }
    return NULL;
}

static bool has_ended(const struct runs *runs, const char *key)
{
    for (unsigned i = 0; i < RUNS_KEYS_REMEMBERED; i++)
        if (strcmp(runs->ended[i], key) == 0)
            return true;
    return false;
}

static uint32_t number_option(const struct arrival *arrival, const char *name, uint32_t otherwise)
{
    const char *text = arrival_detail(arrival, name);
    return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

/* In the session's process. */
static _Noreturn void run_session(const struct runs *runs, const struct daemon_run *run,
                                  const struct arrival *arrival,
                                  const struct whereabouts *whereabouts, int channel)
{
    struct session_options options = runs->options->session;
    const char *overflow = arrival_detail(arrival, "overflow");
    uint64_t memory = runs->options->session_memory;
    const struct rlimit limit = {memory, memory};
    sigset_t none;
    runs->close_in_session(runs->context);
    for (unsigned i = 0; i < runs->count; i++)
        close(runs->list[i]->channel);
    signal(SIGINT, SIG_IGN); /* the daemon says when */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    if (memory)
        setrlimit(RLIMIT_AS, &limit);
    options.listener = options.beside = options.control = -1;
    options.handover = channel;
    options.counts = run->counts;
    options.named = run->named;
    options.crowded = runs->count >= RUNS_FEW;
    options.output = run->file;
    options.command = whereabouts->command;
    options.directory = whereabouts->folder;
    if (overflow)
        options.overflow = strcmp(overflow, "drop") ? RING_OVERFLOW_BLOCK : RING_OVERFLOW_DROP;
    options.frames_max = number_option(arrival, "frames", options.frames_max);
    options.keeps_history = number_option(arrival, "history", options.keeps_history) != 0;
    options.resident_every_ns =
        number_option(arrival, "resident", (uint32_t)(options.resident_every_ns / 1000000)) *
        UINT64_C(1000000);
    options.no_children = number_option(arrival, "children", !options.no_children) == 0;
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(session_run(&options));
}

static bool start_session(struct runs *runs, struct daemon_run *run, const struct arrival *arrival,
                          const struct whereabouts *whereabouts)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    run->pid = fork();
    if (run->pid == 0) {
        close(pair[0]);
        run_session(runs, run, arrival, whereabouts, pair[1]);
    }
    close(pair[1]);
    run->channel = pair[0];
    if (run->pid > 0)
        return true;
    close(pair[0]);
    return false;
}

static struct daemon_run *run_free(struct daemon_run *run)
{
    if (run && run->counts != MAP_FAILED)
        munmap(run->counts, sizeof *run->counts);
    free(run);
    return NULL;
}

/* Begins a run; null: *problem says why not. */
static struct daemon_run *begin_run(struct runs *runs, const char *key, bool named,
                                    const struct arrival *arrival, const char **problem)
{
    struct whereabouts whereabouts;
    struct daemon_run *run = calloc(1, sizeof *run);
    *problem = "no memory, descriptors or processes for another run";
    if (!run)
        return NULL;
    strcpy(run->key, key);
    run->named = named;
    run->controlled = arrival->hello.carrier == HELLO_RUN;
    run->counts =
        mmap(NULL, sizeof *run->counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = whereabouts_init(&whereabouts, arrival) && run->counts != MAP_FAILED;
    if (good && !choose_file(runs, run, arrival, &whereabouts)) {
        *problem = "no file can be made in the daemon's folder";
        good = false;
    }
    good = good && start_session(runs, run, arrival, &whereabouts);
    whereabouts_deinit(&whereabouts);
    if (!good)
        return run_free(run);
    *problem = NULL;
    runs->list[runs->count++] = run;
    log_begin(LOG_LEVEL_INFO, "run_begins");
    log_text("file", run->file);
    log_number("session", run->pid);
    log_end();
    return run;
}

static uint32_t processes_at_hand(const struct runs *runs)
{
    uint32_t processes = 0;
    for (unsigned i = 0; i < runs->count; i++) {
        const struct daemon_run *run = runs->list[i];
        uint64_t counts = atomic_load(&run->counts->both);
        processes += (uint32_t)counts + (run->handed - (uint32_t)(counts >> 32));
    }
    return processes;
}

/* What forbids to take the arrival in; null: nothing. */
static const char *limit_reached(const struct runs *runs, const struct daemon_run *run)
{
    if (runs->quota_used_up)
        return "the disk quota of the daemon is used up";
    if (!run && runs->count >= runs->options->runs_max)
        return "as many runs go on as the daemon takes";
    if (processes_at_hand(runs) >= runs->options->processes_max)
        return "as many processes are connected as the daemon takes";
    return NULL;
}

static void take_in(struct runs *runs, struct arrival *arrival, const char *key, bool named)
{
    struct daemon_run *run = find_run(runs, key, named);
    const char *problem = limit_reached(runs, run);
    bool is_run = arrival->hello.carrier == HELLO_RUN;
    bool is_traced = arrival->hello.carrier != HELLO_UNTRACED;
    if (!run && !problem && is_traced)
        run = begin_run(runs, key, named, arrival, &problem);
    if (!run || problem) {
        if (is_traced)
            refuse_arrival(arrival, WELCOME_LIMIT, problem);
        if (run && !is_run)
            handover_send_arrival(run->channel, HANDOVER_REFUSED, arrival);
        return;
    }
    if (!handover_send_arrival(run->channel, is_run ? HANDOVER_CONTROL : HANDOVER_ARRIVAL, arrival))
        refuse_arrival(arrival, WELCOME_LIMIT, "the run's session does not answer");
    else
        run->handed += !is_run;
}

bool runs_include(const struct runs *runs, const struct arrival *arrival)
{
    const char *key = arrival_detail(arrival, "run");
    bool is_process = arrival->hello.carrier != HELLO_RUN;
    return is_process && key && !arrival_detail(arrival, "session") && find_run(runs, key, false);
}

void runs_hand_over(struct runs *runs, struct arrival *arrival)
{
    const char *session = arrival_detail(arrival, "session");
    const char *key = session ? session : arrival_detail(arrival, "run");
    if (!is_name(key))
        refuse_arrival(arrival, WELCOME_NONSENSE, "the session's name is no plain name");
    else if (!session && has_ended(runs, key))
        refuse_arrival(arrival, WELCOME_DECLINED, "the run has ended");
    else
        take_in(runs, arrival, key, session != NULL);
    close(arrival->connection);
}

/* --- going on and ending --- */

void runs_watch(const struct runs *runs, struct pollfd *watched)
{
    for (unsigned i = 0; i < runs->count; i++)
        watched[i] = (struct pollfd){.fd = runs->list[i]->channel, .events = POLLIN};
}

void runs_hear(struct runs *runs, const struct pollfd *watched, unsigned count)
{
    struct handover handover;
    for (unsigned i = 0; i < count; i++) {
        struct daemon_run *run = runs->list[i];
        if (!(watched[i].revents & POLLIN))
            continue;
        if (handover_receive(run->channel, &handover) == HANDOVER_LEAVE) {
            run->leaving = true;
            handover_send(run->channel, HANDOVER_GOODBYE, NULL);
        }
    }
}

static void log_death(const struct daemon_run *run, int status)
{
    if (WIFEXITED(status))
        return;
    log_begin(LOG_LEVEL_ERROR, "session_died");
    log_text("file", run->file);
    log_number("signal", WTERMSIG(status));
    log_end();
}

static void forget_run(struct runs *runs, unsigned at, int status)
{
    struct daemon_run *run = runs->list[at];
    log_death(run, status);
    if (run->controlled)
        strcpy(runs->ended[runs->ended_next++ % RUNS_KEYS_REMEMBERED], run->key);
    close(run->channel);
    run_free(run);
    runs->list[at] = runs->list[--runs->count];
}

void runs_reap(struct runs *runs)
{
    int status;
    for (unsigned i = runs->count; i-- > 0;)
        if (waitpid(runs->list[i]->pid, &status, WNOHANG) == runs->list[i]->pid)
            forget_run(runs, i, status);
}

/* What the recordings in the folder take on disk, and what SQLite has beside them. */
static uint64_t disk_use(const char *folder)
{
    DIR *files = opendir(folder);
    uint64_t bytes = 0;
    if (!files)
        return 0;
    for (const struct dirent *entry; (entry = readdir(files));) {
        struct stat status;
        if (strstr(entry->d_name, RECORDING) &&
            fstatat(dirfd(files), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)status.st_blocks * 512;
    }
    closedir(files);
    return bytes;
}

void runs_check_quota(struct runs *runs)
{
    uint64_t quota = runs->options->quota;
    bool was_used_up = runs->quota_used_up;
    runs->quota_used_up = quota && disk_use(runs->options->folder) >= quota;
    if (!runs->quota_used_up || was_used_up)
        return;
    log_begin(LOG_LEVEL_ERROR, "quota_used_up");
    log_text("folder", runs->options->folder);
    log_number("quota", (int64_t)quota);
    log_end();
    for (unsigned i = 0; i < runs->count; i++)
        handover_send(runs->list[i]->channel, HANDOVER_STOP,
                      "the disk quota of the daemon is used up");
}

void runs_end(struct runs *runs)
{
    uint64_t since = clock_now();
    for (unsigned i = 0; i < runs->count; i++)
        kill(runs->list[i]->pid, SIGTERM);
    while (runs->count && clock_now() - since < END_PATIENCE_NS) {
        runs_reap(runs);
        poll(NULL, 0, END_PAUSE_MS);
    }
    for (unsigned i = 0; i < runs->count; i++)
        kill(runs->list[i]->pid, SIGKILL);
}
