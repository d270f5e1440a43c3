#define ID(x) get_group_id(x)
__kernel void k(__global int* a, __local int* t) { barrier(CLK_LOCAL_MEM_FENCE); a[ID(0)] = t[get_local_id(0)]; }
