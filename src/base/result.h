// Value or error, for what can be expected to fail: files, flags, environment, shared memory, peers.
//
// Thread-safe as the contained value is. Not for our own mistakes: those are MORTAR_CHECK (base/check.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace mortar::base {

enum class Code : std::uint8_t {
  kInvalid,      // the caller's input is wrong
  kNotFound,     // the object named does not exist
  kDenied,       // permission
  kUnsupported,  // this machine or driver cannot
  kMismatch,     // other version, other device, other clock
  kCorrupt,      // content fails its checks
  kFull,         // no space, no free slot
  kExists,       // name in use
  kSystem,       // a system call failed for another reason
};

// One line: operation, object, cause, and what to do next.
struct Error {
  Code code = Code::kSystem;
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }

  // REQUIRES: !ok().
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }  // REQUIRES: !ok().

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

// "operation: cause", with the text of `error_number` (an errno value).
Error SystemError(const std::string& operation, int error_number);

}  // namespace mortar::base
