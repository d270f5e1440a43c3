// How a benchmark's program says that it lives: three words in a file that its watcher maps too. The
// program's submitting thread calls Beat after every launch; the watcher reads, and sets `longest_ns` back to
// 0.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace mortar::bench {

class Pulse {
 public:
  // CLOCK_MONOTONIC, ns. Written by the program; `longest_ns` also by the watcher.
  struct Words {
    std::int64_t last_ns;           // launched last
    std::int64_t longest_ns;        // longest time between two launches
    std::int64_t longest_ended_ns;  // when that ended
  };

  // Errors: kSystem, where the file cannot be mapped.
  base::Status Open(const std::string& path) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void* mapped = MAP_FAILED;
    if (file >= 0 && ftruncate(file, sizeof(Words)) == 0)
      mapped = mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (mapped == MAP_FAILED)
      return base::Error{base::Code::kSystem, "cannot share " + path + "; choose another folder"};
    words_ = static_cast<Words*>(mapped);
    return {};
  }

  bool open_here() const { return words_ != nullptr; }

  void Beat() {
    if (words_ == nullptr) return;
    const std::int64_t now = base::MonotonicNs();
    const std::int64_t stood = last_ns_ != 0 ? now - last_ns_ : 0;
    last_ns_ = now;
    if (stood > Load(words_->longest_ns)) {
      Store(words_->longest_ended_ns, now);
      Store(words_->longest_ns, stood);
    }
    Store(words_->last_ns, now);
  }

 private:
  static std::int64_t Load(const std::int64_t& word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); }
  static void Store(std::int64_t& word, std::int64_t value) {
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
  }

  Words* words_ = nullptr;
  std::int64_t last_ns_ = 0;
};

}  // namespace mortar::bench
