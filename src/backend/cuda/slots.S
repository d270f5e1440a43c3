/* One slot for each function of the driver: first a stub that resolves it, from then on the driver's own.
 * Everything that calls the driver goes through a slot, by tail jump or call, with the program's own arguments in
 * whatever registers and stack they are.
 *
 *   slot → lazy stub → mortar_cuda_resolve(index) (driver.cc: opens the driver once, fills the slot) → driver
 */
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "the CUDA shim knows x86-64 and AArch64"
#endif

        .text

#if defined(__x86_64__)
        .p2align 4
        .type   lazy, %function
lazy:   /* on the stack: the index, the return address */
        .cfi_startproc
        .cfi_def_cfa_offset 16
        pushq   %rax
        .cfi_adjust_cfa_offset 8
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        pushq   %rcx
        .cfi_adjust_cfa_offset 8
        pushq   %r8
        .cfi_adjust_cfa_offset 8
        pushq   %r9
        .cfi_adjust_cfa_offset 8
        subq    $136, %rsp
        .cfi_adjust_cfa_offset 136
        movups  %xmm0, (%rsp)
        movups  %xmm1, 16(%rsp)
        movups  %xmm2, 32(%rsp)
        movups  %xmm3, 48(%rsp)
        movups  %xmm4, 64(%rsp)
        movups  %xmm5, 80(%rsp)
        movups  %xmm6, 96(%rsp)
        movups  %xmm7, 112(%rsp)
        movq    192(%rsp), %rdi
        call    mortar_cuda_resolve
        movq    %rax, %r11
        movups  (%rsp), %xmm0
        movups  16(%rsp), %xmm1
        movups  32(%rsp), %xmm2
        movups  48(%rsp), %xmm3
        movups  64(%rsp), %xmm4
        movups  80(%rsp), %xmm5
        movups  96(%rsp), %xmm6
        movups  112(%rsp), %xmm7
        addq    $136, %rsp
        .cfi_adjust_cfa_offset -136
        popq    %r9
        .cfi_adjust_cfa_offset -8
        popq    %r8
        .cfi_adjust_cfa_offset -8
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        popq    %rax
        .cfi_adjust_cfa_offset -8
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        jmp     *%r11
        .cfi_endproc
        .size   lazy, .-lazy

#define MORTAR_CUDA_LAZY(i) lazy_##i: endbr64; pushq $i; jmp lazy

#else
        .p2align 4
        .type   lazy, %function
lazy:   /* w17: the index */
        .cfi_startproc
        stp     x29, x30, [sp, #-224]!
        .cfi_def_cfa_offset 224
        .cfi_offset x29, -224
        .cfi_offset x30, -216
        mov     x29, sp
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        str     x8, [sp, #80]
        stp     q0, q1, [sp, #96]
        stp     q2, q3, [sp, #128]
        stp     q4, q5, [sp, #160]
        stp     q6, q7, [sp, #192]
        mov     w0, w17
        bl      mortar_cuda_resolve
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldp     x2, x3, [sp, #32]
        ldp     x4, x5, [sp, #48]
        ldp     x6, x7, [sp, #64]
        ldr     x8, [sp, #80]
        ldp     q0, q1, [sp, #96]
        ldp     q2, q3, [sp, #128]
        ldp     q4, q5, [sp, #160]
        ldp     q6, q7, [sp, #192]
        ldp     x29, x30, [sp], #224
        br      x16
        .cfi_endproc
        .size   lazy, .-lazy

#define MORTAR_CUDA_LAZY(i) lazy_##i: hint #34; mov w17, #i; b lazy
#endif

#define MORTAR_CUDA_FORWARD(symbol, i)
#define MORTAR_CUDA_HANDLED(symbol)
#include "cuda/generated/forwarders.def"
#undef MORTAR_CUDA_LAZY

        .data
        .p2align 6
        .globl  mortar_cuda_slots
        .hidden mortar_cuda_slots
        .type   mortar_cuda_slots, %object
mortar_cuda_slots:
#define MORTAR_CUDA_LAZY(i) .quad lazy_##i
#include "cuda/generated/forwarders.def"
        .size   mortar_cuda_slots, .-mortar_cuda_slots

        .section .note.GNU-stack, "", %progbits
