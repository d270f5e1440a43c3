// MORTAR_CHECK: for our own mistakes, never reachable from input. Active in debug builds alone: a library
// that loads into other people's programs must not abort them (design, principle 6).
#pragma once

#include <cassert>

#define MORTAR_CHECK(condition) assert(condition)
