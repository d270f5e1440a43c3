// The checks of the boards: their directory, the files, the clients on them. Pure.
#include <fmt/format.h>

#include <algorithm>

#include "mortar/doctor.h"

namespace mortar::cli {
namespace {

constexpr char kBoardArea[] = "board";
constexpr std::uint32_t kWorldWritable = 0002;
constexpr std::uint32_t kGroupWritable = 0020;

Finding Wrong(const std::string& check, std::string what, std::string cost, std::string mend) {
  return {kBoardArea, check, Level::kWrong, std::move(what), std::move(cost), std::move(mend)};
}

constexpr char kUnscheduled[] = "programs run unscheduled (with --strict they do not start)";

Finding CheckPlace(const DirectoryFacts& facts) {
  const std::string path = Quoted(facts.path);
  const bool set = facts.origin == "MORTAR_DIR";
  if (set && (facts.path.empty() || facts.path.front() != '/')) {
    return Wrong("directory", "MORTAR_DIR=" + facts.path + " is not an absolute path", kUnscheduled,
                 "export MORTAR_DIR=\"$(realpath -m " + path + ")\"");
  }
  if (!facts.exists) {
    return Wrong(
        "directory", facts.path + " is not there", kUnscheduled,
        set ? "install -d -m 700 " + path + "   # or: unset MORTAR_DIR" : "install -d -m 700 " + path);
  }
  if (!facts.directory) {
    return Wrong("directory", facts.path + " is not a directory", kUnscheduled,
                 set ? "unset MORTAR_DIR" : "sudo rm " + path);
  }
  if (!facts.tmpfs) {
    return Wrong("directory", facts.path + " is not on tmpfs",
                 std::string(kUnscheduled) + ": a disk would stall every program",
                 set ? "unset MORTAR_DIR   # or name a directory under /dev/shm or /run"
                     : "sudo mount -t tmpfs -o size=16m,mode=2770 mortar " + path);
  }
  if (!facts.allowed) {
    const bool by_group = (facts.mode & kGroupWritable) != 0 && !facts.group.empty();
    return Wrong("directory", facts.path + ": permission denied", kUnscheduled,
                 facts.origin == "private" ? "sudo chown \"$USER\" " + path + " && chmod 700 " + path
                 : by_group ? "sudo usermod -aG " + Quoted(facts.group) + " \"$USER\"   # then log in again"
                            : "export MORTAR_DIR=/dev/shm/mortar-$(id -u)-own && mkdir -p -m 700 "
                              "\"$MORTAR_DIR\"   # yours alone");
  }
  if (!facts.problem.empty()) {
    return Wrong("directory", facts.problem, kUnscheduled,
                 facts.origin == "private"
                     ? "sudo rm -r " + path
                     : "export MORTAR_DIR=/dev/shm/mortar-own   # after: mkdir -m 700 it");
  }
  if ((facts.mode & kWorldWritable) != 0) {
    return Wrong("directory", facts.path + " may be written by everyone",
                 "any user of this machine can hold your programs and change their priorities",
                 "chmod o-w " + path);
  }
  return {kBoardArea, "directory", Level::kOk, facts.path + " (" + facts.origin + ")"};
}

void CheckSpace(const System& system, std::vector<Finding>& findings) {
  const DirectoryFacts& facts = system.directory;
  if (facts.exists && facts.tmpfs && facts.free_bytes < board::kFileSize) {
    findings.push_back(
        Wrong("space",
              fmt::format("{} has {} KiB free, a board needs {}", facts.path, facts.free_bytes / 1024,
                          board::kFileSize / 1024),
              "a device that has no board yet gets none: its programs run unscheduled",
              system.container.empty()
                  ? "df -h " + Quoted(facts.path) + " && sudo mount -o remount,size=64m " + Quoted(facts.path)
                  : "docker run --shm-size=64m …   # start the container so"));
  }
  if (system.file_limit < board::kFileSize) {
    findings.push_back(Wrong(
        "space", fmt::format("files may not grow beyond {} KiB (ulimit -f)", system.file_limit / 1024),
        "a device that has no board yet gets none: its programs run unscheduled", "ulimit -f unlimited"));
  }
}

Finding DescribeBroken(const BoardFacts& board) {
  const bool denied = board.code == base::Code::kDenied;
  return Wrong(
      board.problem.find("layout version") != std::string::npos ? "versions" : "board", board.problem,
      "programs on that device run unscheduled",
      denied ? "sudo chgrp --reference=$(dirname " + Quoted(board.path) + ") " + Quoted(board.path) +
                   " && sudo chmod 660 " + Quoted(board.path)
             : "rm " + Quoted(board.path) + "   # when no program uses it: fuser -v " + Quoted(board.path));
}

void CheckSettings(const BoardFacts& board, std::vector<Finding>& findings) {
  const std::string device = " --device " + Quoted(board.device);
  const std::size_t before = findings.size();
  if (board.settings.off) {
    findings.push_back(Wrong("off", board.device + " is off",
                             "nobody is held: programs share as if without Mortar", "mortar on" + device));
  } else if (board.settings.policy == model::PolicyId::kShare) {
    findings.push_back({kBoardArea, "policy", Level::kNote, board.device + " has policy share",
                        "nobody is held: programs share as the device lets them",
                        "mortar set --policy fill" + device});
  }
  if (board.clients.size() >= board::kSlots) {
    findings.push_back(
        Wrong("full",
              fmt::format("{} has {} clients, as many as a board takes", board.device, board.clients.size()),
              "the next program on it runs unscheduled", "mortar status   # then end one"));
  }
  if (findings.size() != before) return;
  findings.push_back(
      {kBoardArea, "board", Level::kOk,
       fmt::format("{}: policy {}, mode {}, {} client{}", board.device,
                   model::PolicyName(board.settings.policy), model::DeviceModeName(board.settings.mode),
                   board.clients.size(), board.clients.size() == 1 ? "" : "s")});
}

void CheckClient(const System& system, const ClientFacts& client, std::vector<Finding>& findings) {
  const std::string who = fmt::format("{} (process {})", client.name, client.pid);
  if (!client.alive) return;  // the next who looks clears it
  if (!client.visible) {
    findings.push_back({kBoardArea, "client", Level::kNote, who + " is not among the processes of here",
                        "it lives in another container or pid namespace: its number is one of there",
                        "lsns -t pid"});
    return;
  }
  if (client.run_state == 'T' || client.run_state == 't') {
    findings.push_back({kBoardArea, "client", Level::kNote, who + " is stopped",
                        "it holds nobody any more, but keeps its slot and its name",
                        fmt::format("kill -CONT {}", client.pid)});
  }
  const auto same = [&](const std::string& path) {
    return path == system.scheduling || path == system.shim || path == system.emulated;
  };
  const auto other = std::find_if_not(client.copies.begin(), client.copies.end(), same);
  if (client.replaced) {
    findings.push_back({kBoardArea, "versions", Level::kNote,
                        who + " runs a Mortar that was replaced since it started",
                        "programs of two versions share by two sets of rules",
                        fmt::format("kill {}   # and start it again under mortar run", client.pid)});
  } else if (other != client.copies.end()) {
    findings.push_back({kBoardArea, "versions", Level::kNote, who + " runs another copy of Mortar: " + *other,
                        "programs of two versions share by two sets of rules",
                        fmt::format("kill {}   # and start it again under this mortar run", client.pid)});
  }
}

}  // namespace

std::vector<Finding> CheckDirectory(const System& system) {
  std::vector<Finding> findings = {CheckPlace(system.directory)};
  CheckSpace(system, findings);
  return findings;
}

std::vector<Finding> CheckBoards(const System& system) {
  std::vector<Finding> findings;
  for (const auto& board : system.boards) {
    if (!board.problem.empty()) {
      findings.push_back(DescribeBroken(board));
    } else {
      CheckSettings(board, findings);
    }
  }
  if (system.boards.empty())
    findings.push_back(
        {kBoardArea, "board", Level::kOk, "none yet; a device gets one when a program first uses it"});
  return findings;
}

std::vector<Finding> CheckClients(const System& system) {
  std::vector<Finding> findings;
  for (const auto& board : system.boards) {
    for (const auto& client : board.clients) CheckClient(system, client, findings);
    const std::string address = NormalPciAddress(board.device);
    if (address.empty()) continue;
    for (const auto& user : system.users.users) {
      if (user.device != address) continue;
      const bool managed =
          std::any_of(board.clients.begin(), board.clients.end(), [&](const ClientFacts& client) {
            return client.pid == user.pid ||
                   std::count(user.inner_pids.begin(), user.inner_pids.end(), client.pid) != 0;
          });
      if (managed) continue;
      findings.push_back(
          {kBoardArea, "unmanaged", Level::kNote,
           fmt::format("process {} ({}) uses {} without Mortar, seen by {}", user.pid,
                       user.program.empty() ? "?" : user.program, board.device, user.through),
           "it is not held, and no prediction knows of its kernels: the holder is slower than foretold",
           "mortar run -- …   # start it so"});
    }
  }
  if (findings.empty())
    findings.push_back({kBoardArea, "client", Level::kOk, "nothing strange about running programs"});
  return findings;
}

}  // namespace mortar::cli
