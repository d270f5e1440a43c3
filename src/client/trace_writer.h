// Appends trace records to this process's spool file (model/trace_record.h), lock-free, from any thread.
//
// Only while tracing (`mortar trace record`): a mapped store per event, no system call once open.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/owner.h"
#include "base/result.h"
#include "model/trace_record.h"

namespace mortar::client {

class TraceWriter {
 public:
  // Creates `directory`/<pid>-<n>.spool. `board_ns`: now, by the board's clock. Errors: kNotFound, kDenied,
  // kFull.
  static base::Result<std::unique_ptr<TraceWriter>> Create(const std::string& directory,
                                                           std::string_view client, std::string_view device,
                                                           std::uint32_t priority, std::string_view policy,
                                                           std::int64_t board_ns);
  void Name(std::uint64_t id, std::string_view name);
  void Add(const model::TraceRecord& record);

 private:
  explicit TraceWriter(base::Mapping mapping) : mapping_(std::move(mapping)) {}
  model::SpoolHeader& header() const { return *static_cast<model::SpoolHeader*>(mapping_.get()); }

  base::Mapping mapping_;
};

}  // namespace mortar::client
