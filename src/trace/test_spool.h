// Spools as a traced process would write them, for tests.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/trace_record.h"
#include "trace/spool.h"

namespace mortar::trace {

struct TestSpool {
  model::SpoolHeader header;
  std::vector<model::SpoolName> names;
  std::vector<model::TraceRecord> records;

  explicit TestSpool(std::string_view client = "serve", std::uint32_t priority = 0) {
    header.magic = model::kSpoolMagic;
    header.version = model::kSpoolVersion;
    header.pid = 100;
    header.priority = priority;
    Put(client, header.client);
    Put("gpu", header.device);
    Put("fill", header.policy);
  }

  template <std::size_t N>
  static void Put(std::string_view text, char (&field)[N]) {
    std::memset(field, 0, N);
    std::memcpy(field, text.data(), std::min(text.size(), N));
  }

  void Name(std::uint64_t id, std::string_view name) {
    Put(name, names.emplace_back(model::SpoolName{id, {}}).name);
    ++header.names;
  }
  model::TraceRecord& Add(model::TraceKind kind, std::int64_t begin_ns, std::int64_t end_ns) {
    ++header.records;
    model::TraceRecord record;
    record.kind = static_cast<std::uint32_t>(kind);
    record.begin_ns = begin_ns;
    record.end_ns = end_ns;
    return records.emplace_back(record);
  }
  // A submit at `submit_ns`, predicted to run for `predicted_ns` to `end_ns`.
  void Submit(std::uint64_t id, std::int64_t submit_ns, std::int64_t end_ns, std::int64_t predicted_ns,
              bool fill = false) {
    model::TraceRecord& record = Add(model::TraceKind::kSubmit, submit_ns, end_ns);
    record.id = id;
    record.value_ns = predicted_ns;
    record.detail = fill ? 1 : 0;
  }
  void Device(std::uint64_t id, std::int64_t submit_ns, std::int64_t begin_ns, std::int64_t end_ns) {
    model::TraceRecord& record = Add(model::TraceKind::kDevice, begin_ns, end_ns);
    record.id = id;
    record.value_ns = submit_ns;
  }

  base::Result<Client> Parse() const {
    return ParseSpool(std::as_bytes(std::span(&header, 1)), std::as_bytes(std::span(names)),
                      std::as_bytes(std::span(records)));
  }
  // REQUIRES: the spool is right.
  Client Read() const { return std::move(Parse()).value(); }

  // The file that the process would leave; unwritten ends are left out.
  std::string Bytes() const {
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(reinterpret_cast<const char*>(names.data()), names.size() * sizeof names[0]);
    if (records.empty()) return bytes;
    bytes.resize(sizeof header + model::kSpoolNames * sizeof names[0]);
    return bytes.append(reinterpret_cast<const char*>(records.data()), records.size() * sizeof records[0]);
  }
};

}  // namespace mortar::trace
