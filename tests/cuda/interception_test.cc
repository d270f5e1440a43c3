// Every function of the driver, called in every way: submits come to the gate and are counted; everything
// reaches the driver with the program's own arguments, and its answer comes back.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/cuda/mock/mock_driver.h"
#include "board/board.h"
#include "board/test_support.h"
#include "board/view.h"

#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) extern "C" CUresult symbol parameters;
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL

namespace mortar::cuda {
namespace {

// What is handed to functions: pointers lead to zeroed memory that is large enough for anything looked into.
constexpr std::size_t kRoom = 1024;
alignas(64) char scratch[16][kRoom];
auto* const kStream = reinterpret_cast<CUstream>(0x55500);
auto* const kFunction = reinterpret_cast<CUfunction>(0x66600);

void HostFunction(void*) {}
void StreamCallback(CUstream, CUresult, void*) {}

template <typename T>
concept Opaque = std::is_pointer_v<T> && !std::is_void_v<std::remove_pointer_t<T>> &&
                 !std::is_function_v<std::remove_pointer_t<T>> && !requires {
  sizeof(std::remove_pointer_t<T>);
};

template <typename T>
T Make(std::size_t at) {
  char* room = scratch[at];
  if constexpr (std::is_same_v<T, CUstream>) {
    return kStream;
  } else if constexpr (std::is_same_v<T, CUfunction>) {
    return kFunction;
  } else if constexpr (std::is_same_v<T, CUhostFn>) {
    return &HostFunction;
  } else if constexpr (std::is_same_v<T, CUstreamCallback>) {
    return &StreamCallback;
  } else if constexpr (std::is_same_v<T, CUDA_LAUNCH_PARAMS*>) {
    auto* list = reinterpret_cast<CUDA_LAUNCH_PARAMS*>(room);
    list[0].function = kFunction;
    return list;
  } else if constexpr (Opaque<T>) {
    return reinterpret_cast<T>(0x77700 + 16 * at);
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(room);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(at) + T{0.5};
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(at + 3);
  } else if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(at + 3);
  } else {
    T value;
    std::memset(&value, static_cast<int>(at + 3), sizeof value);
    return value;
  }
}

template <typename Function>
struct Caller;
template <typename... Arguments>
struct Caller<CUresult(Arguments...)> {
  // Calls `function`; `words` gets what was passed.
  static CUresult Call(void* function, std::vector<std::uint64_t>* words) {
    return CallWith(function, words, std::index_sequence_for<Arguments...>());
  }
  template <std::size_t... kAt>
  static CUresult CallWith(void* function, std::vector<std::uint64_t>* words, std::index_sequence<kAt...>) {
    const std::tuple<Arguments...> all{Make<Arguments>(kAt)...};
    *words = {Word(std::get<kAt>(all))...};
    return reinterpret_cast<CUresult (*)(Arguments...)>(function)(std::get<kAt>(all)...);
  }
};

struct Entry {
  Symbol symbol;
  void* direct;
  CUresult (*call)(void*, std::vector<std::uint64_t>*);
};
const Entry kEntries[] = {
#define MORTAR_CUDA_SYMBOL(symbol, class, parameters, arguments) \
  {Symbol::symbol, reinterpret_cast<void*>(&::symbol), &Caller<CUresult parameters>::Call},
#include "cuda/generated/symbols.def"
#undef MORTAR_CUDA_SYMBOL
};

// The shim over the mock, on a board of its own; once per process.
class InterceptedTest : public testing::Test {
 protected:
  void SetUp() override { mock->Clear(); }
  static void SetUpTestSuite() {
    if (mock != nullptr) return;
    static const board::TemporaryDirectory directory;
    setenv("MORTAR_DIR", directory.path().c_str(), 1);
    setenv("MORTAR_PROFILES", "", 1);
    setenv("MORTAR_NAME", "program", 1);
    setenv("MORTAR_CUDA_DRIVER", MOCK_DRIVER, 1);
    void* library = dlopen(MOCK_DRIVER, RTLD_NOW | RTLD_LOCAL);
    mock = reinterpret_cast<MockCuda* (*)()>(dlsym(library, "mortar_mock_cuda"))();
    ASSERT_EQ(::cuInit(0), CUDA_SUCCESS);
    ASSERT_EQ(::cuLaunchKernel(kFunction, 1, 1, 1, 1, 1, 1, 0, kStream, nullptr, nullptr), CUDA_SUCCESS);
    auto opened = board::Board::Open(directory.path(), "0000:0a:00.0", /*create=*/false);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    board = new board::Board(std::move(*opened));
  }

  static std::uint64_t Counted() {
    mock->Clear();
    ::cuCtxSynchronize();
    for (int i = 0; i < board::kSlots; ++i) {
      if (board->slot(i).state.load() == board::kActive && board->slot(i).pid.load() == getpid())
        return board->slot(i).counters.submits.load();
    }
    return 0;
  }

  static MockCuda* mock;
  static board::Board* board;
};
MockCuda* InterceptedTest::mock = nullptr;
board::Board* InterceptedTest::board = nullptr;

class InterceptionTest : public InterceptedTest, public testing::WithParamInterface<const char*> {
 protected:
  // The function as a program gets it in this test's way; null: it cannot.
  static void* Find(const Entry& entry) {
    const std::string way = GetParam();
    if (way == "direct") return entry.direct;
    if (way == "dlsym") {
      static void* shim = dlopen(SHIM, RTLD_NOW | RTLD_LOCAL);
      return dlsym(shim, NameOf(entry.symbol));
    }
    std::string name = NameOf(entry.symbol);
    const bool per_thread = name.ends_with("_ptsz") || name.ends_with("_ptds");
    if (per_thread) name.resize(name.size() - 5);
    if (name.size() > 3 && name.substr(name.size() - 3, 2) == "_v") name.resize(name.size() - 3);
    const auto flags =
        per_thread ? CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM : CU_GET_PROC_ADDRESS_LEGACY_STREAM;
    void* found = nullptr;
    int answer = 0;
    EXPECT_EQ(::cuGetProcAddress_v2(name.c_str(), &found, VersionOf(entry.symbol), flags, &answer),
              CUDA_SUCCESS);
    return found;
  }
};

TEST_P(InterceptionTest, EverySubmitComesToTheGateAndNothingElseDoes) {
  int submits = 0;
  for (const Entry& entry : kEntries) {
    const char* name = NameOf(entry.symbol);
    void* function = Find(entry);
    ASSERT_NE(function, nullptr) << name;
    const bool is_submit = IsSubmit(ClassOf(entry.symbol));
    const std::uint64_t before = Counted();
    std::memset(scratch, 0, sizeof scratch);
    std::vector<std::uint64_t> words;
    entry.call(function, &words);  // some find nothing by the names that they are given, and say so
    EXPECT_EQ(Counted() - before, is_submit ? 1U : 0U) << name;
    submits += is_submit ? 1 : 0;
  }
  EXPECT_EQ(submits, 178);
}

TEST_P(InterceptionTest, ArgumentsAndAnswersPassUnchanged) {
  int answer = 4000;
  for (const Entry& entry : kEntries) {
    const char* name = NameOf(entry.symbol);
    mock->Clear();
    void* function = Find(entry);
    ASSERT_NE(function, nullptr) << name;
    mock->Clear();
    std::memset(scratch, 0, sizeof scratch);
    mock->Answer(entry.symbol, ++answer);  // of no other function
    std::vector<std::uint64_t> words;
    EXPECT_EQ(entry.call(function, &words), answer) << name;
    const MockCall* call = mock->Last(entry.symbol);
    ASSERT_NE(call, nullptr) << name << " did not reach the driver";
    ASSERT_EQ(static_cast<std::size_t>(call->count), words.size()) << name;
    for (std::size_t i = 0; i < words.size(); ++i) {
      // The program's function is wrapped, with its data.
      if (ClassOf(entry.symbol) == Class::kCallback && (i == 1 || i == 2)) continue;
      EXPECT_EQ(call->words[i], words[i]) << name << ", argument " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, InterceptionTest, testing::Values("direct", "dlsym", "cuGetProcAddress"),
                         [](const auto& way) { return std::string(way.param); });

TEST_F(InterceptedTest, NewerFormsThanTheTablesKnowArePassedThrough) {
  void* found = nullptr;
  int answer = 0;
  // A version of the future: the driver's newest form is one that these tables know, so it is handled.
  ASSERT_EQ(::cuGetProcAddress_v2("cuLaunchKernel", &found, 99000, 0, &answer), CUDA_SUCCESS);
  void* known = nullptr;
  ASSERT_EQ(::cuGetProcAddress_v2("cuLaunchKernel", &known, 13000, 0, &answer), CUDA_SUCCESS);
  EXPECT_EQ(found, known);
  ASSERT_EQ(::cuGetProcAddress_v2("cuNoSuchThing", &found, 13000, 0, &answer), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(answer, 1);
}

}  // namespace
}  // namespace mortar::cuda
