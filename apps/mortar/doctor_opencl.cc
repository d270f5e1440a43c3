// The checks of OpenCL: driver, loader, layers. Pure.
#include <fmt/format.h>

#include <algorithm>

#include "mortar/doctor.h"

namespace mortar::cli {
namespace {

constexpr char kOpenClArea[] = "OpenCL";

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// A machine with CUDA alone lacks nothing.
Level Missing(const System& system) { return system.drivers.empty() ? Level::kWrong : Level::kNote; }

Finding CheckLoader(const System& system) {
  const Probe& probe = system.probe;
  Finding finding{kOpenClArea, "loader", Level::kWrong, ""};
  if (!probe.loader) {
    finding.level = Missing(system);
    finding.what = "there is no OpenCL loader (libOpenCL.so.1)";
    finding.cost = "no OpenCL program can start";
    finding.mend = "sudo apt-get install ocl-icd-libopencl1";
  } else if (!probe.answered) {
    finding.what =
        "the loader " + probe.loader_path + " crashed or did not answer within 20 s, in one of its drivers";
    finding.cost = "OpenCL programs crash or hang, with and without Mortar";
    finding.mend = "clinfo -l; ls /etc/OpenCL/vendors   # then remove the package of the driver that fails";
  } else if (probe.platforms > 0 && !probe.layer && !system.scheduling.empty()) {
    finding.what = "the loader " + probe.loader_path + " ignores layers";
    finding.cost = "no OpenCL program is scheduled";
    finding.mend =
        "sudo apt-get install --reinstall ocl-icd-libopencl1 && export LD_LIBRARY_PATH=/usr/lib/$(uname "
        "-m)-linux-gnu:$LD_LIBRARY_PATH";
  } else {
    finding.level = Level::kOk;
    finding.what = probe.loader_path + (probe.layer ? " takes layers" : " is there");
  }
  return finding;
}

Finding CheckDriver(const System& system) {
  Finding finding{kOpenClArea, "driver", Level::kOk, ""};
  if (system.probe.platforms == 0) {
    finding.level = Missing(system);
    finding.what = "the loader finds no OpenCL driver";
    finding.cost = "OpenCL programs find no device";
    finding.mend =
        "sudo apt-get install pocl-opencl-icd   # computes on the processor; for a GPU its vendor's package";
  } else {
    finding.what =
        fmt::format("{} platform{}", system.probe.platforms, system.probe.platforms == 1 ? "" : "s");
  }
  return finding;
}

void CheckVendors(const System& system, std::vector<Finding>& findings) {
  for (const char* variable : {"OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"}) {
    const std::string value = Value(system, variable);
    if (value.empty() || system.missing.count(value) == 0) continue;
    findings.push_back({kOpenClArea, "vendors", Level::kWrong,
                        fmt::format("{}={} names nothing that is there", variable, value),
                        "the loader finds no driver, or only those of its own folder",
                        std::string("unset ") + variable});
  }
  for (const auto& icd : system.icds) {
    if (icd.loads) continue;
    findings.push_back({kOpenClArea, "vendors", Level::kNote,
                        fmt::format("{} names {}, which does not load", icd.path, icd.library),
                        "that driver's devices are missing; every OpenCL program tries it in vain",
                        "ldd " + Quoted(icd.library) + "; dpkg -S " + Quoted(icd.path) +
                            "   # then install what is missing, or remove that package"});
  }
}

void CheckLayers(const System& system, std::vector<Finding>& findings) {
  if (system.scheduling.empty()) {
    findings.push_back({kOpenClArea, "mortar", Level::kWrong,
                        std::string(kSchedulingLayer) + " is not installed beside mortar",
                        "no OpenCL program is scheduled",
                        Value(system, "MORTAR_LIB").empty()
                            ? "export MORTAR_LIB=/path/to/lib/mortar   # where libmortar-opencl.so lies"
                            : "unset MORTAR_LIB   # it names a folder without the library"});
    return;
  }
  findings.push_back({kOpenClArea, "mortar", Level::kOk, system.scheduling});
  const std::string value = Value(system, "OPENCL_LAYERS");
  const auto layers = Parts(value);
  if (layers.empty()) {
    findings.push_back({kOpenClArea, "layers", Level::kOk, "OPENCL_LAYERS is not set; mortar run sets it"});
    return;
  }
  const std::size_t before = findings.size();
  const auto named = [&](const char* name) {
    return std::count_if(layers.begin(), layers.end(),
                         [&](const auto& layer) { return FileName(layer) == name; });
  };
  const auto place = [&](const char* name) {
    return std::find_if(layers.begin(), layers.end(),
                        [&](const auto& layer) { return FileName(layer) == name; });
  };
  const std::string right = ComposeLayers(value, named(kSchedulingLayer) > 0 ? system.scheduling : "",
                                          named(kEmulatedLayer) > 0 ? system.emulated : "");
  const std::string mend = "export OPENCL_LAYERS=" + Quoted(right);
  for (const auto& layer : layers) {
    if (system.missing.count(layer) == 0) continue;
    std::string rest;
    for (const auto& other : layers) {
      if (system.missing.count(other) == 0) rest += (rest.empty() ? "" : ":") + other;
    }
    findings.push_back({kOpenClArea, "layers", Level::kWrong,
                        "OPENCL_LAYERS names " + layer + ", which is not there",
                        "the layer is left out by loaders, some of which leave out all",
                        rest.empty() ? "unset OPENCL_LAYERS" : "export OPENCL_LAYERS=" + Quoted(rest)});
  }
  if (named(kSchedulingLayer) > 1 || named(kEmulatedLayer) > 1) {
    findings.push_back({kOpenClArea, "layers", Level::kWrong,
                        "OPENCL_LAYERS names a layer of Mortar's twice: " + value,
                        "every submit is held and counted twice", mend});
  }
  if (named(kSchedulingLayer) > 0 && named(kEmulatedLayer) > 0 &&
      place(kEmulatedLayer) > place(kSchedulingLayer)) {
    findings.push_back(
        {kOpenClArea, "layers", Level::kWrong, "the emulated device lies above Mortar's layer: " + value,
         "Mortar does not see the device that programs see; nothing is scheduled on it", mend});
  } else if (named(kSchedulingLayer) > 0 && FileName(layers.back()) != kSchedulingLayer) {
    findings.push_back({kOpenClArea, "layers", Level::kNote, "another layer lies above Mortar's: " + value,
                        "what it adds, drops or delays looks to Mortar as if the program did it", mend});
  }
  if (named(kEmulatedLayer) > 0) {
    findings.push_back(
        {kOpenClArea, "emulated", Level::kNote, "programs started here run on the emulated device",
         "their speed says nothing about a real device", "unset OPENCL_LAYERS MORTAR_EMULATED"});
  }
  if (findings.size() == before)
    findings.push_back({kOpenClArea, "layers", Level::kOk, "in order: " + value});
}

}  // namespace

std::vector<Finding> CheckOpenCl(const System& system) {
  std::vector<Finding> findings = {CheckLoader(system)};
  if (system.probe.loader && system.probe.answered) findings.push_back(CheckDriver(system));
  CheckVendors(system, findings);
  CheckLayers(system, findings);
  return findings;
}

}  // namespace mortar::cli
