// mortar set, off, on: settings of clients and of boards, felt by running programs at once.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "board/view.h"
#include "mortar/arguments.h"
#include "mortar/boards.h"
#include "mortar/invocation.h"
#include "mortar/output.h"

namespace mortar::cli {
namespace {

struct SetOptions {
  std::string name, device;
  std::string priority, max_slowdown, weight, min_share, memory;  // of a client
  std::optional<bool> floor_first;                                // … too
  std::string policy, mode, switch_cost, bound, margin;           // of boards
  bool ForClient() const {
    return !(priority.empty() && max_slowdown.empty() && weight.empty() && min_share.empty() &&
             memory.empty() && !floor_first);
  }
  bool ForBoards() const {
    return !(policy.empty() && mode.empty() && switch_cost.empty() && bound.empty() && margin.empty());
  }
};

// The same, read; nullopt stays as it is.
struct Change {
  std::optional<std::uint32_t> priority, max_slowdown_ppm, weight_permille, min_share_ppm;
  std::optional<std::uint64_t> memory;
  std::optional<bool> floor_first;
  std::optional<model::PolicyId> policy;
  std::optional<model::DeviceMode> mode;
  std::optional<std::int64_t> switch_cost_ns, bound_ns, margin_ns;
};

// Reads one flag into `value` where it was given; the first failure of several is kept in `error`.
template <typename T, typename Parse>
void Read(const char* flag, const std::string& text, Parse parse, std::optional<T>& value,
          std::string& error) {
  if (text.empty() || !error.empty()) return;
  auto result = parse(text);
  if (result.ok()) {
    value = *result;
  } else {
    error = std::string(flag) + ": " + result.error().message;
  }
}

std::string ReadChange(const SetOptions& options, Change& change) {
  std::string error;
  Read("--priority", options.priority, ParsePriority, change.priority, error);
  Read("--max-slowdown", options.max_slowdown, ParsePercent, change.max_slowdown_ppm, error);
  Read("--weight", options.weight, ParseWeight, change.weight_permille, error);
  Read("--min-share", options.min_share, ParseShareOrNone, change.min_share_ppm, error);
  Read("--memory", options.memory, ParseBytesOrNone, change.memory, error);
  change.floor_first = options.floor_first;
  Read("--policy", options.policy, ParsePolicy, change.policy, error);
  Read("--mode", options.mode, ParseDeviceMode, change.mode, error);
  Read("--switch-cost", options.switch_cost, ParseDuration, change.switch_cost_ns, error);
  Read("--bound", options.bound, ParseDuration, change.bound_ns, error);
  Read("--margin", options.margin, ParseDuration, change.margin_ns, error);
  return error;
}

// What is wrong with the flags together; empty where nothing is.
std::string CheckTogether(const SetOptions& options) {
  if (!options.ForClient() && !options.ForBoards()) {
    return "nothing to set; name a client and one of --priority, --max-slowdown, --weight, --min-share, "
           "--floor-first, --memory, or give one of --policy, --mode, --switch-cost, --bound, --margin";
  }
  if (options.ForClient() && options.name.empty()) {
    return "--priority, --max-slowdown, --weight, --min-share, --floor-first and --memory need the name of a "
           "client, as in: mortar set serve --priority 1";
  }
  if (options.ForBoards() && !options.name.empty()) {
    return "--policy, --mode, --switch-cost, --bound and --margin are the board's, not a client's; leave out "
           "\"" +
           board::CleanText(options.name) + "\"";
  }
  return "";
}

void ApplyToBoard(board::Board& board, const Change& change) {
  board::Header& header = board.header();
  if (change.policy) header.policy.store(static_cast<std::uint32_t>(*change.policy));
  if (change.mode) header.device_mode.store(static_cast<std::uint32_t>(*change.mode));
  if (change.switch_cost_ns) header.switch_cost_ns.store(*change.switch_cost_ns);
  if (change.bound_ns) header.in_flight_bound_ns.store(*change.bound_ns);
  if (change.margin_ns) header.margin_ns.store(*change.margin_ns);
  board.Bump();
}

// True if such a client is there. Its slot may change hands between look and store: then a newcomer gets
// settings that it did not ask for, until it is set itself; `mortar status` shows them.
bool ApplyToClient(board::Board& board, const std::string& name, const Change& change) {
  bool found = false;
  for (const auto& client : board::ReadClients(board)) {
    if (client.name != name || !board.OwnerAlive(client.ref.index)) continue;
    board::Slot& slot = board.slot(client.ref.index);
    if (!board.IsCurrent(client.ref)) continue;
    if (change.priority) slot.priority.store(*change.priority);
    if (change.max_slowdown_ppm) slot.max_slowdown_ppm.store(*change.max_slowdown_ppm);
    if (change.weight_permille) slot.weight_permille.store(*change.weight_permille);
    if (change.floor_first)
      slot.flags.store(*change.floor_first ? std::uint32_t{board::kSlotFloorFirst} : 0U);
    if (change.min_share_ppm) slot.min_share_ppm.store(*change.min_share_ppm);
    if (change.memory) slot.memory_limit.store(*change.memory);
    found = true;
  }
  if (found) board.Bump();
  return found;
}

// Floors of more than the whole device could not all be kept. Two who set at the same moment may both pass.
std::string CheckFloors(const Boards& boards, const std::string& name, const Change& change) {
  if (change.min_share_ppm.value_or(0) == 0) return "";
  for (const auto& one : boards.open) {
    const auto clients = board::ReadClients(one.board);
    if (std::none_of(clients.begin(), clients.end(), [&](const auto& c) { return c.name == name; })) continue;
    const std::uint64_t others = SumOfFloors(one, name);
    if (others + *change.min_share_ppm <= kWholePpm) continue;
    return "--min-share: the floors of other clients on " + one.device + " leave " +
           FormatPercent(static_cast<double>(kWholePpm - std::min(others, kWholePpm)) / 1e6) +
           " of the device; lower one of them first";
  }
  return "";
}

int Set(const SetOptions& options) {
  Change change;
  std::string error = CheckTogether(options);
  if (error.empty()) error = ReadChange(options, change);
  if (!error.empty()) {
    Complain("mortar set: " + error);
    return kBadInput;
  }
  auto boards = ChooseBoards(options.device);
  if (!boards.ok()) {
    Complain("mortar set: " + boards.error().message);
    return kFailed;
  }
  if (const std::string floors = CheckFloors(*boards, options.name, change); !floors.empty()) {
    Complain("mortar set: " + floors);
    return kBadInput;
  }
  bool found = false;
  for (auto& one : boards->open) {
    if (options.name.empty()) {
      ApplyToBoard(one.board, change);
      found = true;
    } else {
      found = ApplyToClient(one.board, options.name, change) || found;
    }
  }
  if (found) return kDone;
  Complain("mortar set: no client called \"" + board::CleanText(options.name) +
           "\" is running; mortar status lists those that are");
  return kFailed;
}

int Switch(bool off, const std::string& device) {
  auto boards = ChooseBoards(device);
  if (!boards.ok()) {
    Complain(std::string("mortar ") + (off ? "off" : "on") + ": " + boards.error().message);
    return kFailed;
  }
  for (auto& one : boards->open) {
    one.board.header().off.store(off ? 1 : 0);
    one.board.Bump();  // whoever is held looks again now
  }
  return kDone;
}

void AddSwitch(CLI::App& app, Invocation& invocation, bool off) {
  auto* command =
      app.add_subcommand(off ? "off" : "on", off ? "Hold nobody any more; who is held goes on at once"
                                                 : "Schedule again after mortar off");
  auto device = std::make_shared<std::string>();
  command->add_option("--device", *device, "Only this device's board")->type_name("DEVICE");
  AddDirectoryOption(*command, invocation);
  command->footer(
      off ? "Programs run on, side by side, as without Mortar; mortar on schedules them again.\n\n"
            "Example:\n  mortar off"
          : "Example:\n  mortar on --device 0000:3b:00.0");
  command->callback(
      [&invocation, device, off] { invocation.action = [device, off] { return Switch(off, *device); }; });
}

}  // namespace

void AddSet(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("set", "Change a running client's settings, or a board's");
  auto options = std::make_shared<SetOptions>();
  command->add_option("name", options->name, "The client, as mortar status names it")->type_name("NAME");
  command->add_option("--priority", options->priority, "0 (highest) to 9 (lowest)")->type_name("0-9");
  command->add_option("--max-slowdown", options->max_slowdown, "How much longer its requests may take, as 2%")
      ->type_name("PERCENT");
  command->add_option("--weight", options->weight, "Its share among clients of equal priority, as 2")
      ->type_name("NUMBER");
  command
      ->add_option("--min-share", options->min_share,
                   "A floor under its share of device time, as 10%, or none")
      ->type_name("PERCENT");
  auto* first = command->add_flag_callback(
      "--floor-first", [options] { options->floor_first = true; },
      "The floor is kept even where that slows others more than they allow");
  command
      ->add_flag_callback(
          "--no-floor-first", [options] { options->floor_first = false; },
          "What others allow comes first again")
      ->excludes(first);
  command->add_option("--memory", options->memory, "Device memory that it may hold, as 4GiB, or none")
      ->type_name("SIZE");
  command->add_option("--policy", options->policy, "share, exclusive, priority, fikit or fill")
      ->type_name("POLICY");
  command->add_option("--mode", options->mode, "How the device runs several programs: fifo, sliced, merged")
      ->type_name("MODE");
  command->add_option("--switch-cost", options->switch_cost, "What changing programs costs, as 20us")
      ->type_name("TIME");
  command
      ->add_option("--bound", options->bound,
                   "How much work a filler may have in flight in any case, as 200us")
      ->type_name("TIME");
  command->add_option("--margin", options->margin, "Added to every fill's length, as 5us")->type_name("TIME");
  command->add_option("--device", options->device, "Only this device's board")->type_name("DEVICE");
  AddDirectoryOption(*command, invocation);
  command->footer(
      "Examples:\n  mortar set serve --priority 1 --max-slowdown 1%\n"
      "  mortar set train --min-share 10% --floor-first\n  mortar set train --memory 4GiB\n"
      "  mortar set --policy priority\n"
      "  mortar set --device 0000:3b:00.0 --mode sliced --switch-cost 20us");
  command->callback([&invocation, options] { invocation.action = [options] { return Set(*options); }; });
}

void AddOff(CLI::App& app, Invocation& invocation) { AddSwitch(app, invocation, true); }
void AddOn(CLI::App& app, Invocation& invocation) { AddSwitch(app, invocation, false); }

}  // namespace mortar::cli
