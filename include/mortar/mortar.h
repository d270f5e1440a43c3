/* What a program may tell Mortar about itself: where its requests and minibatches begin and end, how
 * important it is.
 *
 * Header only, C99 or C++, Linux. Nothing is linked: the functions look for a copy of Mortar that `mortar
 * run` has loaded into the process (the OpenCL layer, the CUDA shim, or both). Where there is none they do
 * nothing and answer MORTAR_NOT_THERE, so a program that marks its requests runs everywhere. Any thread may
 * call any function.
 *
 *   mortar_request_begin();
 *   ... submit, wait ...
 *   mortar_request_end();
 *
 * Marks belong to the calling thread: make them in the thread that submits and waits. From its first mark on,
 * a thread's requests are those it marks; without marks Mortar finds them by itself (docs/marks.md). A
 * request counts for
 * `--max-slowdown`. A minibatch is a request as well (unless it lies inside a marked one), and is counted and
 * timed.
 */
#ifndef MORTAR_MORTAR_H
#define MORTAR_MORTAR_H

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <link.h>
#include <string.h>
#if !defined(__USE_GNU)
#error "include mortar/mortar.h before other headers, or define _GNU_SOURCE"
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MORTAR_OK = 0,
  MORTAR_NOT_THERE = 1, /* no copy of Mortar in this process, or it does not schedule it */
  MORTAR_INVALID = -1,  /* a value out of range, or a hint that the loaded copy does not know */
};

/* Numbers are part of the interface between programs and libraries: they never change. */
enum mortar_hint_id {
  MORTAR_HINT_REQUEST_BEGIN = 1,
  MORTAR_HINT_REQUEST_END = 2,
  MORTAR_HINT_MINIBATCH_BEGIN = 3,
  MORTAR_HINT_MINIBATCH_END = 4,
  MORTAR_HINT_PRIORITY = 5,         /* 0 (highest) to 9 */
  MORTAR_HINT_MAX_SLOWDOWN_PPM = 6, /* of request time, millionths: 20000 is 2 % */
  MORTAR_HINT_WEIGHT_PERMILLE = 7,  /* among equals: 1000 is 1 */
};

typedef int (*mortar_hint_function)(unsigned hint, long long value);

struct mortar_found_ {
  int count;
  mortar_hint_function functions[4];
};

static inline int mortar_look_(struct dl_phdr_info* object, size_t size, void* data) {
  static const char* const endings[] = {"/libmortar-opencl.so", "/mortar/cuda/libcuda.so.1"};
  struct mortar_found_* found = (struct mortar_found_*)data;
  const size_t length = object->dlpi_name ? strlen(object->dlpi_name) : 0;
  size_t i;
  (void)size;
  for (i = 0; i < sizeof endings / sizeof *endings && found->count < 4; ++i) {
    const size_t ending = strlen(endings[i]);
    void *library, *function;
    if (length < ending || strcmp(object->dlpi_name + length - ending, endings[i]) != 0) continue;
    library = dlopen(object->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    if (!library) continue;
    function = dlsym(library, "mortar_hint");
    if (function) memcpy(&found->functions[found->count++], &function, sizeof function);
    dlclose(library); /* the library never leaves the process */
  }
  return 0;
}

/* Tells every copy of Mortar in the process, also one that was loaded a moment ago. Costs microseconds. */
static inline int mortar_hint_all(enum mortar_hint_id hint, long long value) {
  struct mortar_found_ found;
  int i, answer = MORTAR_NOT_THERE;
  found.count = 0;
  dl_iterate_phdr(mortar_look_, &found);
  for (i = 0; i < found.count; ++i) {
    const int one = found.functions[i]((unsigned)hint, value);
    if (answer == MORTAR_NOT_THERE || one == MORTAR_INVALID) answer = one;
  }
  return answer;
}

static inline int mortar_request_begin(void) { return mortar_hint_all(MORTAR_HINT_REQUEST_BEGIN, 0); }
static inline int mortar_request_end(void) { return mortar_hint_all(MORTAR_HINT_REQUEST_END, 0); }
static inline int mortar_minibatch_begin(void) { return mortar_hint_all(MORTAR_HINT_MINIBATCH_BEGIN, 0); }
static inline int mortar_minibatch_end(void) { return mortar_hint_all(MORTAR_HINT_MINIBATCH_END, 0); }

/* From now on, on every device. These override what `mortar run` was given; `mortar set` overrides them. */
static inline int mortar_set_priority(int priority) {
  return mortar_hint_all(MORTAR_HINT_PRIORITY, priority);
}
/* `share` of request time: 0.02 is 2 %. */
static inline int mortar_set_max_slowdown(double share) {
  if (!(share >= 0 && share <= 10)) return MORTAR_INVALID;
  return mortar_hint_all(MORTAR_HINT_MAX_SLOWDOWN_PPM, (long long)(share * 1e6 + 0.5));
}
static inline int mortar_set_weight(double weight) {
  if (!(weight >= 0.001 && weight <= 1000)) return MORTAR_INVALID;
  return mortar_hint_all(MORTAR_HINT_WEIGHT_PERMILLE, (long long)(weight * 1e3 + 0.5));
}

#ifdef __cplusplus
}
#endif

#endif
