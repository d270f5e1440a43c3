#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace mortar::base {

Error SystemError(const std::string& operation, int error_number) {
  Code code = Code::kSystem;
  if (error_number == ENOENT) code = Code::kNotFound;
  if (error_number == EACCES || error_number == EPERM) code = Code::kDenied;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::kFull;
  if (error_number == EEXIST) code = Code::kExists;
  // strerrordesc_np is immutable text: safe in any thread, unlike strerror.
  const char* text = strerrordesc_np(error_number);
  return {code, operation + ": " + (text != nullptr ? text : "unknown error")};
}

}  // namespace mortar::base
