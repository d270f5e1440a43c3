#def\
ine ID get_gro\  
up_id(0)
__kernel void k(__global int* a) { a[ID] = 1; }
