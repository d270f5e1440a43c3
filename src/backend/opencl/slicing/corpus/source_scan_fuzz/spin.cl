__kernel void k(volatile __global int* a) { while (atomic_add(a, 0) == 0) ; }
