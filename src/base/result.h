// Result<T>: how every layer of Twinport reports failure. An Error says what was tried, what was
// found and what to do next, in one sentence that a person under stress can act on. A broken
// invariant of ours aborts; bad input never does.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace base {

/// The handful of kinds on which a caller acts differently.
enum class ErrorKind : unsigned char {
  kUsage,        ///< the person typed something we cannot take (exit 2)
  kNotFound,     ///< the thing asked for is not there (a vanished process is this, not a failure)
  kPermission,   ///< rights are missing; the message names which
  kUnsupported,  ///< this kernel or machine cannot do it
  kCorrupt,      ///< bytes from outside that do not follow their grammar
  kIo,           ///< the operating system refused for another reason
};

struct Error {
  ErrorKind kind = ErrorKind::kIo;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected<Error>(Error{kind, std::move(message)});
}

/// An Error from errno: "TRIED: strerror". EPERM and EACCES become kPermission, ENOENT and ESRCH
/// kNotFound, EOPNOTSUPP, ENOSYS, EPROTONOSUPPORT and EAFNOSUPPORT kUnsupported, others kIo.
std::unexpected<Error> fail_errno(std::string tried, int error_number);

}  // namespace base
