/* dlsym and dlvsym of a preloaded library: a look at the name, then on to the C library's own by a tail jump, so that
 * it sees its true caller (RTLD_NEXT, RTLD_DEFAULT). Where Mortar has an answer of its own, that is returned.
 *
 *   void* answer = mortar_hook_answer(handle, name, version or null, caller);
 */
        .text

#if defined(__x86_64__)
        .globl  dlsym
        .type   dlsym, %function
        .p2align 4
dlsym:
        .cfi_startproc
        endbr64
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        xorl    %edx, %edx
        movq    24(%rsp), %rcx
        call    mortar_hook_answer
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %rax, %rax
        jz      1f
        ret
1:      jmpq    *mortar_hook_real_dlsym(%rip)
        .cfi_endproc
        .size   dlsym, .-dlsym

        .globl  dlvsym
        .type   dlvsym, %function
        .p2align 4
dlvsym:
        .cfi_startproc
        endbr64
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        movq    24(%rsp), %rcx
        call    mortar_hook_answer
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %rax, %rax
        jz      1f
        ret
1:      jmpq    *mortar_hook_real_dlvsym(%rip)
        .cfi_endproc
        .size   dlvsym, .-dlvsym

#elif defined(__aarch64__)
        .globl  dlsym
        .type   dlsym, %function
        .p2align 4
dlsym:
        .cfi_startproc
        hint    #34
        stp     x29, x30, [sp, #-48]!
        .cfi_def_cfa_offset 48
        .cfi_offset x29, -48
        .cfi_offset x30, -40
        mov     x29, sp
        stp     x0, x1, [sp, #16]
        mov     x2, xzr
        mov     x3, x30
        bl      mortar_hook_answer
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #48
        cbz     x16, 1f
        mov     x0, x16
        ret
1:      adrp    x16, mortar_hook_real_dlsym
        ldr     x16, [x16, #:lo12:mortar_hook_real_dlsym]
        br      x16
        .cfi_endproc
        .size   dlsym, .-dlsym

        .globl  dlvsym
        .type   dlvsym, %function
        .p2align 4
dlvsym:
        .cfi_startproc
        hint    #34
        stp     x29, x30, [sp, #-48]!
        .cfi_def_cfa_offset 48
        .cfi_offset x29, -48
        .cfi_offset x30, -40
        mov     x29, sp
        stp     x0, x1, [sp, #16]
        str     x2, [sp, #32]
        mov     x3, x30
        bl      mortar_hook_answer
        mov     x16, x0
        ldp     x0, x1, [sp, #16]
        ldr     x2, [sp, #32]
        ldp     x29, x30, [sp], #48
        cbz     x16, 1f
        mov     x0, x16
        ret
1:      adrp    x16, mortar_hook_real_dlvsym
        ldr     x16, [x16, #:lo12:mortar_hook_real_dlvsym]
        br      x16
        .cfi_endproc
        .size   dlvsym, .-dlvsym
#endif

        .section .note.GNU-stack, "", %progbits
