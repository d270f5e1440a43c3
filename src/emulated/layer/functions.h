// The layer's functions by file: each Fill… puts its own into `dispatch` where the driver has one of that
// name.
#pragma once

#include <CL/cl_icd.h>

namespace mortar::emulated {

void FillCommands(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);   // kernels, markers, barriers
void FillTransfers(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);  // buffers
void FillSvmAndImages(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);  // SVM, images
void FillWaits(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);  // waits, event answers, callbacks
void FillObjects(const cl_icd_dispatch& driver, cl_icd_dispatch* dispatch);  // queues, kernels, references

// dispatch->NAME = our function, if the driver has NAME.
#define MORTAR_WRAP(NAME) \
  if (driver.NAME != nullptr) dispatch->NAME = &NAME

}  // namespace mortar::emulated
