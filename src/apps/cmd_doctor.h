// twinport doctor [PORT]: whether the ports can be bound here, who or what is in the way, and the
// one thing to do next.
#pragma once

#include <optional>
#include <string>

#include "apps/context.h"
#include "model/inventory.h"

namespace apps {

struct DoctorOptions {
  std::string port;        ///< as typed; "" = Twinport's own two
  std::string peer;        ///< "HOST", "HOST:PORT", "[ADDRESS]:PORT"; "" = none is tried
  unsigned timeout_s = 3;  ///< for the peer
  std::string profile;     ///< "unix" or "windows": which fallback ports
  std::optional<model::CollectorKind> collector;
};

/// 0 when every port can be bound and nothing that was looked at is in the way, else 1.
int run_doctor(const DoctorOptions& options, Context& context);

}  // namespace apps
