#include "mortar/sim_timeline.h"

#include "policy/view.h"
#include "trace/chrome_trace.h"
#include "trace/output_file.h"
#include "trace/timeline.h"

namespace mortar::cli {
namespace {

const char* NameReason(std::uint32_t detail) {
  return policy::ReasonName(static_cast<policy::Reason>(detail));
}

}  // namespace

base::Status WriteTimeline(const sim::RunResult& run, const std::vector<std::string>& names,
                           const std::vector<int>& priorities, const std::string& policy,
                           const std::string& path) {
  std::vector<trace::Client> clients;
  for (std::size_t i = 0; i < run.clients.size(); ++i) {
    trace::Client client;
    client.name = names[i];
    client.device = "simulated device";
    client.policy = policy;
    client.pid = static_cast<std::int32_t>(i + 1);
    client.priority = priorities[i];
    for (const sim::Launch& launch : run.clients[i].program->launches)
      client.kernels.emplace(launch.id, launch.name);
    client.records = run.clients[i].trace;
    for (const sim::RequestTimes& request : run.clients[i].requests) {
      client.records.push_back({.kind = static_cast<std::uint32_t>(model::TraceKind::kRequest),
                                .begin_ns = request.arrival_ns,
                                .end_ns = request.end_ns});
    }
    clients.push_back(std::move(client));
  }
  const trace::Timeline timeline = trace::BuildTimeline(clients);
  auto file = trace::OutputFile::Create(path);
  if (!file) return file.error();
  if (auto status = trace::WriteChromeTrace(clients, timeline, NameReason, file->get()); !status)
    return status;
  return (*file)->Commit();
}

}  // namespace mortar::cli
