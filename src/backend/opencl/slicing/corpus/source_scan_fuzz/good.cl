#define REAL float
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef struct { int x; REAL y; } Pair;
constant REAL table[] = {1, 2.5e+3f, 3};
REAL scale(REAL x) { return x * table[1]; }
__kernel __attribute__((vec_type_hint(float4))) void k(__global Pair* p, int n) {
#ifdef BIG
  for (int i = 0; i < n; ++i) p[get_global_id(0)].y += scale(p->y);
#else
  p[get_global_id(0)].x = 'a' + '\\''; // "
#endif
}
