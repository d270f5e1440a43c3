/* A libOpenCL.so.1 that knows nothing of layers, as loaders before 2020 do: one platform, nothing behind it.
 */
int clGetPlatformIDs(unsigned room, void** platforms, unsigned* count) {
  static int platform;
  if (room > 0 && platforms != 0) platforms[0] = &platform;
  if (count != 0) *count = 1;
  return 0;
}
