// What the layer's functions share: the driver below, and the emulated device. One for each process, made by
// InitLayer and never destroyed.
#pragma once

#include <CL/cl.h>
#include <CL/cl_icd.h>

#include <string>

#include "emulated/clock.h"
#include "emulated/kernels.h"
#include "emulated/ledger.h"
#include "emulated/table.h"
#include "emulated/timelines.h"
#include "emulated/timer.h"

namespace mortar::emulated {

struct State {
  // `directory` as for Timelines.
  State(Table duration_table, Clock& the_clock, std::string directory)
      : table(std::move(duration_table)),
        clock(the_clock),
        kernels(table),
        timer(the_clock),
        timelines(table.device, std::move(directory)) {}

  const Table table;
  Clock& clock;
  cl_icd_dispatch driver{};  // the next layer's, or the loader's own; null where it has none
  Ledger ledger;
  KernelBook kernels;
  Timer timer;
  Timelines timelines;
};

// The process's state. REQUIRES: InitLayer has succeeded, as it has before the loader calls any function of
// ours.
State& Current();
void SetCurrent(State* state);  // InitLayer, and tests

// The functions of this layer, put into `dispatch` where `driver` has them; all others stay null, which the
// loader fills with the driver's.
void FillDispatch(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);

// What clInitLayer does. With MORTAR_EMULATED unset or its table bad (one line on stderr) the layer is empty:
// all calls go to the driver.
cl_int InitLayer(cl_uint entries, const cl_icd_dispatch* target, cl_uint* entries_ret,
                 const cl_icd_dispatch** dispatch_ret) noexcept;
// What clGetLayerInfo does.
cl_int LayerInfo(cl_uint name, std::size_t size, void* value, std::size_t* size_ret) noexcept;

}  // namespace mortar::emulated
