// How the mock driver's functions are made: each records its call in MockDriver. For mock_driver_test.cc and
// mock_extensions_test.cc alone.
#pragma once

#include <algorithm>
#include <tuple>

#include "backend/opencl/mock_driver.h"

namespace mortar::opencl {

template <std::size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&literal)[N]) { std::copy_n(literal, N, text); }
};

// Records its call and answers `MockDriver::answer`. Enqueues have an event as their last argument.
template <Name kName, typename Function>
struct Recorded;
template <Name kName, typename... Arguments>
struct Recorded<kName, cl_int(CL_API_CALL*)(Arguments...)> {
  static cl_int CL_API_CALL Call(Arguments... arguments) {
    MockDriver::Get().Record(kName.text, arguments...);
    return MockDriver::Get().answer.load();
  }
  static cl_int CL_API_CALL Submit(Arguments... arguments) {
    constexpr std::size_t kCount = sizeof...(Arguments);
    const auto all = std::tie(arguments...);
    MockDriver::Get().Record(kName.text, arguments...);
    return MockDriver::Get().Enqueue(std::get<0>(all), std::get<kCount - 3>(all), std::get<kCount - 2>(all),
                                     std::get<kCount - 1>(all));
  }
};

// Programs: handles come round again.
void InstallMockPrograms(cl_icd_dispatch* table);
void InstallMockCopies(cl_icd_dispatch* table);

// The extension function of this name; null if the mock has none.
void* MockExtension(const char* name);

}  // namespace mortar::opencl
