#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace base {

std::unexpected<Error> fail_errno(std::string tried, int error_number) {
  ErrorKind kind = ErrorKind::kIo;
  switch (error_number) {
    case EPERM:
    case EACCES:
      kind = ErrorKind::kPermission;
      break;
    case ENOENT:
    case ESRCH:
      kind = ErrorKind::kNotFound;
      break;
    case EOPNOTSUPP:
    case ENOSYS:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      kind = ErrorKind::kUnsupported;
      break;
    default:
      break;
  }
  tried += ": ";
  tried +=
      strerrordesc_np(error_number) != nullptr ? strerrordesc_np(error_number) : "unknown error";
  return fail(kind, std::move(tried));
}

}  // namespace base
