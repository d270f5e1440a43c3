// The programs in a timeline that `mortar trace record` wrote: gathers their events, makes a Recording of
// one.
//
// One owner, one thread. What a live trace does not have: streams (all of a client's operations count as
// one), and how long a submitting call took (that is part of the think time after it).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "trace/chrome_event.h"
#include "trace/recording.h"
#include "trace/seen.h"
#include "trace/spool.h"

namespace mortar::trace {

class LiveTrace {
 public:
  // `client`: whose recording is wanted; empty: of the only one.
  explicit LiveTrace(std::string client) : wanted_(std::move(client)) {}

  void AddName(const ChromeEvent& event);
  base::Status AddKernel(const ChromeEvent& event);
  base::Status AddHostEvent(const ChromeEvent& event);
  // The same from what was recorded before any timeline was made of it.
  void AddSpool(const Client& client);

  bool found() const { return kernels_ > 0; }
  // Errors: kInvalid where the client wanted is not there, or several are and none is named; Assemble's.
  base::Result<Recording> Make(const std::string& source);

 private:
  struct Op {
    std::int64_t start_ns = 0;
    std::int64_t duration_ns = 0;
    std::int64_t submitted_ns = kMissing;
    std::string name;
    bool measured = true;
  };
  struct HostEvent {
    std::int64_t start_ns = 0;
    std::int64_t duration_ns = 0;
    std::int64_t thread = 0;
    EventClass what = EventClass::kSubmit;
  };
  struct Program {
    std::string name, device;
    std::int64_t process = 0;
    std::map<std::string, std::int64_t, std::less<>> lanes;  // by the tid of a track: whose it is
    std::vector<Op> ops;
    std::vector<HostEvent> host;
  };

  Program& ProgramOf(std::string_view pid);
  base::Result<Program*> Choose(const std::string& source);
  static Seen ToSeen(Program& program);

  std::string wanted_;
  std::map<std::string, Program, std::less<>> programs_;  // by pid, as it stands in the file
  std::uint64_t kernels_ = 0;
};

}  // namespace mortar::trace
