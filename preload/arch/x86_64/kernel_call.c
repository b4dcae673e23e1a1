/*
 * The instruction keeps all registers but the two that it needs itself.
 */
#include "preload/arch/kernel_call.h"

long kernel_call(long number, const unsigned long arguments[5])
{
    long result = number;
    __asm__ volatile("movq %[fourth], %%r10\n\t"
                     "movq %[fifth], %%r8\n\t"
                     "syscall"
                     : "+a"(result)
                     : "D"(arguments[0]), "S"(arguments[1]),
                       "d"(arguments[2]), [fourth] "m"(arguments[3]), [fifth] "m"(arguments[4])
                     : "rcx", "r8", "r10", "r11", "memory");
    return result;
}
