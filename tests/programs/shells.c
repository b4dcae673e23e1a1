/*
 * shells CASE: what system(), popen() and their kin do to the process and to the shell. Prints it;
 * without heapline it prints the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#define IGNORED "grep SigIgn /proc/self/status"

static void handler(int number)
{
    (void)number;
}

static char action_of(int number)
{
    struct sigaction action;
    sigaction(number, NULL, &action);
    return action.sa_handler == SIG_IGN ? 'i' : action.sa_handler == handler ? 'h' : 'd';
}

static void say_signals(const char *when)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    printf("%s: SIGINT %c SIGQUIT %c SIGCHLD blocked %d\n", when, action_of(SIGINT),
           action_of(SIGQUIT), sigismember(&mask, SIGCHLD));
    fflush(stdout);
}

/* --- FIFOs by which shells say that they have begun, and are told to end --- */

static void make_fifo(const char *name)
{
    unlink(name);
    if (mkfifo(name, 0600) != 0)
        abort();
}

static void read_fifo(const char *name, char *line, size_t size)
{
    FILE *file = fopen(name, "r");
    if (!file || !fgets(line, (int)size, file))
        abort();
    fclose(file);
}

static void write_fifo(const char *name)
{
    int file = open(name, O_WRONLY);
    if (file < 0 || write(file, "\n", 1) != 1)
        abort();
    close(file);
}

static void *run(void *command)
{
    int status = system(command);
    return (void *)(long)status;
}

static pthread_t start(const char *command)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, (void *)command) != 0)
        abort();
    return thread;
}

static void say_result(const char *whose, pthread_t thread)
{
    void *result;
    pthread_join(thread, &result);
    if (result == PTHREAD_CANCELED)
        printf("%s: cancelled\n", whose);
    else
        printf("%s: %lx\n", whose, (long)result);
}

/* The second begins and ends after the first. */
static void two_threads(void)
{
    char line[16];
    make_fifo("a");
    make_fifo("a-began");
    make_fifo("b");
    make_fifo("b-began");
    say_signals("before");
    pthread_t first = start(IGNORED "; echo > a-began; read x < a; exit 3");
    read_fifo("a-began", line, sizeof line);
    pthread_t second = start(IGNORED "; echo > b-began; read x < b; exit 4");
    read_fifo("b-began", line, sizeof line);
    say_signals("both");
    write_fifo("a");
    say_result("first", first);
    say_signals("one");
    write_fifo("b");
    say_result("second", second);
    say_signals("after");
}

static void *run_many(void *argument)
{
    char command[16];
    long wrong = 0;
    snprintf(command, sizeof command, "exit %d", (int)(long)argument);
    for (int i = 0; i < 25; i++)
        wrong += system(command) != (int)(long)argument << 8;
    return (void *)wrong;
}

static void many_threads(void)
{
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, run_many, (void *)i);
    for (int i = 0; i < 8; i++)
        say_result("wrong", threads[i]);
    say_signals("after");
}

static void cancelled(void)
{
    char line[16];
    make_fifo("began");
    pthread_t thread = start("echo $$ > began; exec sleep 1000");
    read_fifo("began", line, sizeof line);
    pthread_cancel(thread);
    say_result("thread", thread);
    int missing = kill(atoi(line), 0);
    printf("shell: %d %s\n", missing, strerror(errno));
    int waited = wait(NULL);
    printf("children: %d %s\n", waited, strerror(errno));
    say_signals("after");
}

static void statuses(void)
{
    static const char *const commands[] = {"exit 3",
                                           "kill -9 $$",
                                           "no-such-command 2>&1",
                                           "tr '\\0' ' ' < /proc/$$/cmdline",
                                           IGNORED,
                                           "grep SigBlk /proc/self/status"};
    for (int round = 0; round < 3; round++) {
        signal(SIGINT, round == 0 ? SIG_DFL : round == 1 ? handler : SIG_IGN);
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
            int status = system(commands[i]);
            printf("%x\n", status);
            fflush(stdout);
        }
        printf("shell: %d\n", system(NULL) != 0);
        say_signals("after");
    }
    signal(SIGCHLD, SIG_IGN);
    int status = system("exit 3");
    printf("nobody's: %d %s\n", status, strerror(errno));
}

static void *run_on(void *stop)
{
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        if (system(":") != 0 || pclose(popen("exit 7", "r")) != 7 << 8)
            abort();
    return NULL;
}

/* Each child starts shells itself, whatever another thread of its parent was at. */
static void forks(void)
{
    pthread_t threads[3];
    int stop = 0, status, wrong = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, run_on, &stop);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(system("exit 5") == 5 << 8 && pclose(popen("exit 6", "w")) == 6 << 8 ? 0 : 1);
        wrong += waitpid(pid, &status, 0) != pid || status != 0;
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    printf("wrong: %d\n", wrong);
    say_signals("after");
}

/* --- popen --- */

static void say_stream(const char *command, const char *mode, int (*close_it)(FILE *))
{
    char text[256] = "";
    FILE *file = popen(command, mode);
    if (!file) {
        printf("%s: %s\n", mode, strerror(errno));
        return;
    }
    printf("%s: closes on exec %d, wide %d\n", mode, fcntl(fileno(file), F_GETFD), fwide(file, 0));
    fflush(stdout);
    if (strchr(mode, 'r')) /* to the end: who writes to a pipe that is closed gets a signal */
        while (fgets(text, sizeof text, file))
            fputs(text, stdout);
    else
        fputs("written\n", file);
    printf("%x\n", close_it(file));
    printf("children: %d\n", wait(NULL));
    fflush(stdout);
}

static void streams(void)
{
    static const char *const modes[] = {"r", "w", "re", "we", "er", "", "rw", "x"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        say_stream("cat; echo $0 here; tr '\\0' ' ' < /proc/$$/cmdline; exit 3", modes[i], pclose);
    say_stream("cat; exit 4", "w", fclose);
    say_stream("exec kill -9 $$", "r", fclose);
    FILE *file = popen("cat", "w");
    close(fileno(file));
    printf("closed already: %d\n", pclose(file));
    printf("left: %d\n", wait(NULL) > 0);
    signal(SIGPIPE, SIG_IGN);
    file = popen("exit 0", "w");
    siginfo_t ended;
    waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT);
    fputs("nobody reads it\n", file);
    printf("no reader: %d\n", pclose(file));
    int (*volatile close_it)(FILE *) = pclose;
    printf("no popen: %d\n", close_it(fopen("/dev/null", "r")));
    say_signals("after");
}

/* Each command has the end of its own pipe alone, so that all see their ends. */
static void several_streams(void)
{
    FILE *files[5];
    for (int i = 0; i < 5; i++) {
        files[i] = popen("cat; ls /proc/self/fd | wc -l", "w");
        fprintf(files[i], "stream %d\n", i);
    }
    for (int i = 0; i < 5; i++) {
        printf("%x\n", pclose(files[i]));
        fflush(stdout);
    }
    close(0);
    say_stream("cat; ls /proc/self/fd | wc -l", "w", pclose);
    say_stream("echo text", "r", pclose);
    FILE *again = fopen("/dev/null", "r"), *other = popen("cat", "w");
    printf("at 0: %d\n", fileno(again));
    printf("%x\n", pclose(other));
}

static void *open_many(void *argument)
{
    char command[32];
    long wrong = 0;
    snprintf(command, sizeof command, "cat >/dev/null; exit %d", (int)(long)argument);
    for (int i = 0; i < 25; i++) {
        FILE *file = popen(command, "w");
        fputs("text", file);
        wrong += pclose(file) != (int)(long)argument << 8;
    }
    return (void *)wrong;
}

static void many_streams(void)
{
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, open_many, (void *)i);
    for (int i = 0; i < 8; i++)
        say_result("wrong", threads[i]);
}

/* --- children that are told from others: argument 1 is a command without quotes --- */

typedef int spawn(int *, const char *, const posix_spawn_file_actions_t *,
                  const posix_spawnattr_t *, char *const[], char *const[]);

static void by_pidfd(const char *name, char *path, char *script)
{
    spawn *function = (spawn *)dlsym(RTLD_DEFAULT, name);
    char *arguments[] = {path, script, (char *)name, NULL};
    char *environment[] = {NULL};
    int pidfd,
        problem = function ? function(&pidfd, path, NULL, NULL, arguments, environment) : ENOSYS;
    siginfo_t ended = {0};
    if (problem == 0 && waitid(P_PIDFD, (id_t)pidfd, &ended, WEXITED) == 0)
        printf("%s %d\n", name, ended.si_status);
    else
        printf("%s: %s\n", name, strerror(problem));
}

static void children(char *path, char *script)
{
    char command[4096];
    snprintf(command, sizeof command, "%s %s system", path, script);
    printf("system %x\n", system(command));
    snprintf(command, sizeof command, "exec %s %s popen", path, script);
    printf("popen %x\n", pclose(popen(command, "r")));
    by_pidfd("pidfd_spawn", path, script);
    by_pidfd("pidfd_spawnp", path, script);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } cases[] = {
        {"two threads", two_threads},
        {"many threads", many_threads},
        {"cancelled", cancelled},
        {"statuses", statuses},
        {"forks", forks},
        {"streams", streams},
        {"several streams", several_streams},
        {"many streams", many_streams},
    };
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0)
            return cases[i].function(), 0;
    if (argc != 3)
        return 2;
    children(argv[1], argv[2]);
    return 0;
}
