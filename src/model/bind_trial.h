// BindTrial: what came of trying to take a TCP port. Plain values.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/address.h"

namespace model {

enum class BindOutcome : uint8_t {
  kFree,           ///< nothing has to do with the port there
  kFreeWithReuse,  ///< a server takes it that sets SO_REUSEADDR, as servers do: what lingers there
                   ///< (connections in time-wait, say) would keep any other off
  kInUse,          ///< EADDRINUSE
  kDenied,         ///< EACCES or EPERM
  kNoAddress,      ///< the address, or the whole family, is not of this machine
  kFailed,         ///< something else; `error_number` tells
};
std::string_view bind_outcome_name(BindOutcome outcome);  ///< JSON word: "free", "in-use", ...

struct BindTrial {
  Endpoint at;  ///< any address = all of its family; IPv6 then takes no IPv4
  BindOutcome outcome = BindOutcome::kFailed;
  int error_number = 0;
  [[nodiscard]] bool is_free() const {
    return outcome == BindOutcome::kFree || outcome == BindOutcome::kFreeWithReuse;
  }
};

}  // namespace model
