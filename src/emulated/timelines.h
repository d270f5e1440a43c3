// The timelines of this process's devices, opened at first use: the device that the table names, then NAME-1,
// NAME-2 and so on for further OpenCL devices. Any thread; one lock inside.
#pragma once

#include <pthread.h>

#include <string>

#include "emulated/timeline.h"

namespace mortar::emulated {

class Timelines {
 public:
  // `directory`: empty for Timeline::FindDirectory() at first use.
  Timelines(std::string device, std::string directory)
      : device_(std::move(device)), directory_(std::move(directory)) {}
  Timelines(const Timelines&) = delete;

  static constexpr int kDevices = 16;

  // The timeline of the `index`-th device; valid for ever. Null, after one line on stderr, where it cannot be
  // opened or index is not within 0 … kDevices-1.
  Timeline* Find(int index);

  void BeforeFork() { pthread_mutex_lock(&mutex_); }
  void AfterForkInParent() { pthread_mutex_unlock(&mutex_); }
  void AfterForkInChild();

 private:
  const std::string device_;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  // Guarded by mutex_.
  std::string directory_;
  Timeline timelines_[kDevices];
  bool failed_[kDevices] = {};
};

}  // namespace mortar::emulated
