/*
 * A loader that is not glibc's, or a program that needs none: says which of heapline's variables it
 * was given. One that dies of LD_PRELOAD, as musl's does of a library for glibc, would say no more.
 * With "exec" and a command as arguments it executes that instead.
 * For 64 bits and 32; without any library, so that each can be built anywhere.
 */
#ifdef __x86_64__
static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}
#define WRITE  1
#define EXECVE 59
#define EXIT   60
__asm__(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall begin\n");
#else
static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
#define WRITE  4
#define EXECVE 11
#define EXIT   1
__asm__(".globl _start\n_start: mov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\ncall "
        "begin\n");
#endif

static void say(const char *text)
{
    long length = 0;
    while (text[length])
        length++;
    call3(WRITE, 1, (long)text, length);
}

static int begins(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return 0;
    return 1;
}

/* On its stack: the number of arguments, these, null, the environment, null. */
__attribute__((used, noreturn)) void begin(long *stack)
{
    char **arguments = (char **)(stack + 1), **environment = arguments + *stack + 1;
    if (*stack > 2 && begins(arguments[1], "exec"))
        call3(EXECVE, (long)arguments[2], (long)(arguments + 2), (long)environment);
    for (; *environment; environment++)
        if (begins(*environment, "LD_PRELOAD=") || begins(*environment, "HEAPLINE_")) {
            say(*environment);
            say("\n");
        }
    say("ran\n");
    for (;;)
        call3(EXIT, 7, 0, 0);
}
