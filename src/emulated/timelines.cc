#include "emulated/timelines.h"

#include "base/log.h"

namespace mortar::emulated {
namespace {

base::Result<Timeline> OpenNamed(std::string* directory, const std::string& name) {
  if (directory->empty()) {
    auto found = Timeline::FindDirectory();
    if (!found) return found.error();
    *directory = *found;
  }
  return Timeline::Open(*directory, name);
}

}  // namespace

Timeline* Timelines::Find(int index) {
  if (index < 0 || index >= kDevices) return nullptr;
  pthread_mutex_lock(&mutex_);
  Timeline& timeline = timelines_[index];
  if (!timeline.open() && !failed_[index]) {
    auto opened = OpenNamed(&directory_, index == 0 ? device_ : device_ + "-" + std::to_string(index));
    if (opened) {
      timeline = std::move(opened).value();
    } else {
      failed_[index] = true;
      base::Log("emulated device: " + opened.error().message + ": this device's commands are not modelled");
    }
  }
  Timeline* found = failed_[index] ? nullptr : &timeline;
  pthread_mutex_unlock(&mutex_);
  return found;
}

void Timelines::AfterForkInChild() {
  pthread_mutex_init(&mutex_, nullptr);
  for (Timeline& timeline : timelines_) timeline.Forget();
}

}  // namespace mortar::emulated
