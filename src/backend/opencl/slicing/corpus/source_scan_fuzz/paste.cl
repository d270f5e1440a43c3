#define P(a, b) a ## b
__kernel void k() { P(get_, group_id)(0); }
