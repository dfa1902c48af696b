// Verdict: the judgement of a socket against what is expected. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

enum class VerdictKind : uint8_t {
  kUnjudged,    ///< there is nothing to judge it by; the reason says what is missing
  kExpected,    ///< the port may be open so far, and every holder may hold it
  kTransient,   ///< the client end of talk that its program may have
  kUnexpected,  ///< expectations exist, and none allows it
  kImpostor,    ///< the port is expected, its holder is not
  kWider,       ///< port and holder are expected, but open to more than they should be
  kMissing,     ///< expected, and absent
  kUnknown,     ///< we could not see enough; never taken for expected
};
/// "unjudged", "expected", "transient", "unexpected", "impostor", "wider", "missing", "unknown".
std::string_view verdict_name(VerdictKind kind);

struct Verdict {
  VerdictKind kind = VerdictKind::kUnjudged;
  std::string reason;  ///< a sentence without its full stop; may quote text from outside
  std::optional<size_t> expectation;  ///< the one that decided, as an index of the list judged by

  /// Whether a person should look.
  [[nodiscard]] bool is_finding() const {
    return kind != VerdictKind::kUnjudged && kind != VerdictKind::kExpected &&
           kind != VerdictKind::kTransient;
  }
};

}  // namespace model
