/*
 * stepper COMMAND...: runs a program and sends it a signal at a chosen instruction of the shim.
 *
 * The program asks with a breakpoint (int3, rax STEPPER_ASK) on the thread that is meant: rdi is n,
 * and the thread goes on by single steps until it is about to execute its n-th instruction from
 * then on that lies in libheapline.so. There it gets SIGUSR1 and runs free: where the signal is
 * blocked it waits, as it would with a signal from anywhere. rsi 1 counts instructions of every
 * file. With rdi 0 the program says that the stretch is over, and gets 1 in rax when the signal was
 * sent.
 *
 * Every thread is traced, and stopped for nothing but signals; children are not. A program that
 * asks nothing more for STUCK_SECONDS hangs: where its threads are is said, and it is killed; the
 * status is then 70. Else it is that of the program. What was last interrupted is said of one that
 * a signal ends.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPPER_ASK   0x68656170
#define STUCK_SECONDS 40
#define STUCK_STATUS  70

static pid_t program;
static unsigned long shim_start, shim_end;

/* The stretch at hand. */
static struct {
    pid_t thread; /* that is stepped; 0: none */
    long wanted, counted;
    int everywhere;
    int sent;
    unsigned long at; /* where the last signal was sent */
} stretch;

static volatile sig_atomic_t stuck;

static void on_alarm(int number)
{
    (void)number;
    stuck = 1;
}

static void find_shim(void)
{
    char path[64], line[512], permissions[8], file[256];
    snprintf(path, sizeof path, "/proc/%d/maps", program);
    FILE *maps = fopen(path, "r");
    if (!maps)
        return;
    while (fgets(line, sizeof line, maps)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, permissions, file) == 4 &&
            permissions[2] == 'x' && strstr(file, "/libheapline.so")) {
            shim_start = start;
            shim_end = end;
        }
    }
    fclose(maps);
}

/* As `addr2line -e libheapline.so` takes it. */
static unsigned long shim_offset(unsigned long address)
{
    char path[64], line[512];
    unsigned long first = 0, start;
    snprintf(path, sizeof path, "/proc/%d/maps", program);
    FILE *maps = fopen(path, "r");
    if (!maps)
        return address;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "/libheapline.so") && !first && sscanf(line, "%lx-", &start) == 1)
            first = start;
    fclose(maps);
    return address - first;
}

static void say_place(const char *what, unsigned long address)
{
    if (shim_start <= address && address < shim_end)
        fprintf(stderr, "stepper: %s: libheapline.so+0x%lx\n", what, shim_offset(address));
    else
        fprintf(stderr, "stepper: %s: 0x%lx\n", what, address);
}

static void say_threads(void)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task", program);
    DIR *threads = opendir(path);
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/syscall", program, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(text, sizeof text, file))
            fprintf(stderr, "stepper: thread %s: %s", entry->d_name, text);
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
}

static void go_on(pid_t thread, int number)
{
    ptrace(thread == stretch.thread ? PTRACE_SINGLESTEP : PTRACE_CONT, thread, 0, number);
}

static void answer(pid_t thread, struct user_regs_struct *registers)
{
    alarm(STUCK_SECONDS);
    if (!shim_start)
        find_shim();
    if (registers->rdi) {
        stretch.thread = thread;
        stretch.wanted = (long)registers->rdi;
        stretch.everywhere = registers->rsi == 1;
        stretch.counted = stretch.sent = 0;
    } else {
        stretch.thread = 0;
        registers->rax = (unsigned long)stretch.sent;
        ptrace(PTRACE_SETREGS, thread, 0, registers);
    }
    go_on(thread, 0);
}

static void step(pid_t thread)
{
    errno = 0;
    unsigned long at =
        (unsigned long)ptrace(PTRACE_PEEKUSER, thread, offsetof(struct user, regs.rip), 0);
    if ((stretch.everywhere || (shim_start <= at && at < shim_end)) &&
        ++stretch.counted == stretch.wanted) {
        stretch.thread = 0;
        stretch.sent = 1;
        stretch.at = at;
        if (getenv("STEPPER_SAYS"))
            say_place("interrupted", at);
        syscall(SYS_tgkill, program, thread, SIGUSR1);
    }
    go_on(thread, 0);
}

/* A thread that has stopped for SIGTRAP: by an ask, or after a step. */
static void trapped(pid_t thread)
{
    struct user_regs_struct registers;
    siginfo_t information = {0};
    ptrace(PTRACE_GETSIGINFO, thread, 0, &information);
    if (information.si_code == SI_KERNEL && ptrace(PTRACE_GETREGS, thread, 0, &registers) == 0 &&
        (unsigned)registers.rax == STEPPER_ASK)
        answer(thread, &registers);
    else if (thread == stretch.thread)
        step(thread);
    else
        go_on(thread, 0);
}

static void stopped(pid_t thread, int status)
{
    int number = WSTOPSIG(status);
    if (status >> 16 || number == SIGSTOP)
        go_on(thread, 0); /* an event, or a new thread */
    else if (number == SIGTRAP)
        trapped(thread);
    else
        go_on(thread, number);
}

static int end_as(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "stepper: ended by signal %d\n", WTERMSIG(status));
    if (stretch.at)
        say_place("last interrupted", stretch.at);
    return 128 + WTERMSIG(status);
}

static int give_up(void)
{
    fprintf(stderr, "stepper: the program hangs\n");
    if (stretch.at)
        say_place("last interrupted", stretch.at);
    say_threads();
    kill(program, SIGKILL);
    return STUCK_STATUS;
}

static int follow(void)
{
    for (;;) {
        int status;
        pid_t thread = waitpid(-1, &status, __WALL);
        if (stuck)
            return give_up();
        if (thread < 0)
            return 1;
        if (thread == stretch.thread && !WIFSTOPPED(status))
            stretch.thread = 0; /* it has ended meanwhile */
        if (WIFSTOPPED(status))
            stopped(thread, status);
        else if (thread == program)
            return end_as(status);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    if (program < 0 || waitpid(program, &status, __WALL) != program || !WIFSTOPPED(status))
        return 1;
    ptrace(PTRACE_SETOPTIONS, program, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    alarm(STUCK_SECONDS);
    go_on(program, 0);
    return follow();
}
