// mortar calibrate: how CUDA devices are shared by processes, measured and kept on their boards.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "board/board.h"
#include "mortar/calibration.h"
#include "mortar/cuda_setup.h"
#include "mortar/invocation.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

struct Options {
  int ordinal = -1;  // all
  bool dry_run = false;
  bool json = false;
};

// Keeps what was measured on the device's board, which is made where there is none.
base::Status Keep(const Calibration& measured) {
  const auto directory = board::FindDirectory();
  if (!directory.ok()) return directory.error();
  auto board = board::Board::Open(*directory, measured.device, /*create=*/true);
  if (!board.ok()) return board.error();
  board->header().device_mode.store(static_cast<std::uint32_t>(measured.mode));
  if (measured.switch_cost_ns) board->header().switch_cost_ns.store(*measured.switch_cost_ns);
  board->Bump();
  return {};
}

std::string Microseconds(std::int64_t ns) { return std::to_string(ns / 1000) + " us"; }

void SayUnsettled(const Calibration& one) {
  std::string why = "a processor was taken from the two processes all the time";
  if (!one.estimates_ns.empty()) {
    const auto [least, most] = std::minmax_element(one.estimates_ns.begin(), one.estimates_ns.end());
    why = "estimates range from " + Microseconds(*least) + " to " + Microseconds(*most);
  }
  Complain(
      "mortar calibrate: " + one.device + ": the switch cost cannot be measured now: " + why +
      "; the board's stays as it is. Run it again on an idle machine, or tell it: mortar set --switch-cost");
}

nlohmann::json ToJson(const Calibration& one) {
  const nlohmann::json cost =
      one.switch_cost_ns ? nlohmann::json(static_cast<double>(*one.switch_cost_ns) / 1e3) : nlohmann::json();
  return {{"device", one.device},
          {"mode", model::DeviceModeName(one.mode)},
          {"switch_cost_us", cost},
          {"together", one.together},
          {"round_trip_us", static_cast<double>(one.round_trip_ns) / 1e3},
          {"alone_us", static_cast<double>(one.alone_ns) / 1e3}};
}

void Report(const std::vector<Calibration>& all, bool json) {
  if (json) {
    nlohmann::json devices = nlohmann::json::array();
    for (const Calibration& one : all) devices.push_back(ToJson(one));
    Print(nlohmann::json{{"devices", devices}}.dump(2) + "\n");
    return;
  }
  std::vector<std::vector<std::string>> rows = {
      {"DEVICE", "MODE", "SWITCH", "TOGETHER", "ROUND TRIP", "ALONE"}};
  for (const Calibration& one : all) {
    rows.push_back({one.device, std::string(model::DeviceModeName(one.mode)),
                    one.switch_cost_ns ? FormatDuration(*one.switch_cost_ns) : "-",
                    FormatPercent(one.together), FormatDuration(one.round_trip_ns),
                    FormatDuration(one.alone_ns)});
  }
  Print(FormatTable(rows, {2, 3, 4, 5}));
}

int RunCalibrate(const Options& options) {
  const CudaSetup setup = SetUpCuda(ReadCudaSurroundings(""), "");
  if (setup.driver.empty()) {
    Complain(
        "mortar calibrate: there is no CUDA driver (libcuda.so.1); install it, or name it in "
        "MORTAR_CUDA_DRIVER");
    return kFailed;
  }
  std::vector<Calibration> all;
  int code = kDone;
  const int first = std::max(0, options.ordinal);
  for (int ordinal = first; options.ordinal < 0 || ordinal == first; ++ordinal) {
    const auto measured = Calibrate(setup.driver, ordinal);
    const bool past_the_last =
        !measured.ok() && measured.error().code == base::Code::kNotFound && !all.empty();
    if (past_the_last) break;
    const base::Status kept = !measured.ok()    ? base::Status(measured.error())
                              : options.dry_run ? base::Status()
                                                : Keep(*measured);
    if (measured.ok()) all.push_back(*measured);
    if (measured.ok() && !measured->switch_cost_ns) SayUnsettled(*measured);
    if (kept.ok()) continue;
    Complain("mortar calibrate: " + kept.error().message);
    code = kFailed;
    break;
  }
  if (!all.empty()) Report(all, options.json);
  return code;
}

}  // namespace

void AddCalibrate(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("calibrate", "Measure how CUDA devices are shared by processes");
  auto options = std::make_shared<Options>();
  command->add_option("--ordinal", options->ordinal, "This device of the driver only, counted from 0")
      ->type_name("NUMBER")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--dry-run", options->dry_run, "Print, and leave the boards as they are");
  command->add_flag("--json", options->json, "One object, for programs");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "Two processes run kernels of known length, alone, side by side and in turn: a few seconds a device, "
      "which\n"
      "should be idle meanwhile, as should the machine: where estimates of the switch cost do not agree, "
      "none is kept.\n"
      "Mode and switch cost go to the device's board. Run it again when MPS is "
      "started\n"
      "or stopped.\n\nExample:\n  mortar calibrate\n  mortar calibrate --ordinal 0 --dry-run --json");
  command->callback(
      [&invocation, options] { invocation.action = [options] { return RunCalibrate(*options); }; });
}

}  // namespace mortar::cli
