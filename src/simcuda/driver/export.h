// How this folder exports functions of the driver's interface, and the few of its own.
#pragma once

#define MORTAR_SIMCUDA_EXPORT extern "C" __attribute__((visibility("default")))
