/*
 * Interposed: syscall. As libc's, but that seccomp(2) goes by sealing.c (kernel_call.h).
 */
#define SYS_SECCOMP 317 /* asm/unistd_64.h */

        .text
        .globl  syscall, syscall_hook
        .hidden syscall_hook
        .type   syscall, @function
        .type   syscall_hook, @function
        .p2align 4
syscall:
syscall_hook:
        .cfi_startproc
        endbr64
        cmpq    $SYS_SECCOMP, %rdi
        je      sealing_seccomp
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
        syscall
        cmpq    $-4095, %rax
        jae     1f
        ret
1:      movq    %rax, %rdi
        jmp     sealing_failed
        .cfi_endproc
        .size   syscall, .-syscall
        .size   syscall_hook, .-syscall_hook
        .section .note.GNU-stack, "", @progbits
