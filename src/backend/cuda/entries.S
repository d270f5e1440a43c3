/* The names that libcuda.so.1 exports. What is only forwarded jumps through its slot; the rest goes to a handler. */
#if defined(__x86_64__)
#define TO_SLOT(i) endbr64; jmpq *mortar_cuda_slots + 8 * i(%rip)
#define TO_HANDLER(symbol) endbr64; jmp mortar_##symbol
#else
#define TO_SLOT(i) hint #34; adrp x16, mortar_cuda_slots + 8 * i; \
        ldr x16, [x16, #:lo12:mortar_cuda_slots + 8 * i]; br x16
#define TO_HANDLER(symbol) hint #34; b mortar_##symbol
#endif

#define ENTRY(symbol) .globl symbol; .type symbol, %function; .p2align 4; symbol:
#define MORTAR_CUDA_LAZY(i)
#define MORTAR_CUDA_FORWARD(symbol, i) ENTRY(symbol) TO_SLOT(i); .size symbol, .-symbol
#define MORTAR_CUDA_HANDLED(symbol) ENTRY(symbol) TO_HANDLER(symbol); .size symbol, .-symbol

        .text
#include "cuda/generated/forwarders.def"

        .section .note.GNU-stack, "", %progbits
