// Filter: the language of `twinport ports FILTER`. Pure; a parsed filter is immutable and any
// thread may use it.
//
//   filter     = [ or ]
//   or         = and { ( "or" | "||" ) and }
//   and        = unary { [ "and" | "&&" ] unary }
//   unary      = ( "not" | "!" ) unary | "(" or ")" | test
//   test       = FIELD ( "=" | "==" | "!=" | "~" | "!~" ) values
//              | FIELD [ "not" ] "in" ( values | "(" values ")" )
//              | FIELD ( "<" | "<=" | ">" | ">=" ) NUMBER
//              | port { "," port } | PROTOCOL | STATE
//   port       = as PortQuery takes it, in one word: 22, 1743-1844, 22/tcp, :22, 10.0.0.5:443, ssh
//   values     = value { "," value }
//   value      = WORD | "'" text "'" | '"' text '"'
//
// Several values mean "any of them", and so do several ports side by side: `22 80 tcp` is what has
// to do with either port over TCP. `22 and 80` asks for both, at the two ends. A field of the
// holder (pid, command, ...) is true when it is true of any holder; "!=" is always the opposite of
// "=".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/inventory.h"
#include "ports/port_query.h"

namespace ports {

enum class FilterField : uint8_t {
  kProtocol,
  kState,
  kPort,
  kLocalPort,
  kRemotePort,
  kAddress,
  kLocalAddress,
  kRemoteAddress,
  kPid,
  kCommand,
  kExe,
  kUser,
  kUid,
  kUnit,
  kContainer,
  kPackage,
  kNamespace,
  kFamily,
  kHolding,
  kInterface,
  kReceiveQueue,
  kSendQueue,
  kInode,
  kCookie,
};

class Filter {
 public:
  /// Reads a port that stands without a field; see find_port() for one that knows services too.
  using PortReader = std::function<base::Result<PortQuery>(std::string_view)>;

  /// Text longer than this, or nested deeper, is refused: no person wrote it.
  static constexpr size_t kLongestText = 4096;
  static constexpr size_t kDeepestNesting = 50;

  /// An empty text matches every socket. An error (kUsage) names the column, what was expected and
  /// what was found, and shows the text with a caret below it, on lines of their own.
  static base::Result<Filter> parse(std::string_view text,
                                    const PortReader& read_port = parse_port_query);

  [[nodiscard]] bool matches(const model::Inventory& inventory, const model::Socket& socket) const;

  /// Whether any test looks at the field.
  [[nodiscard]] bool uses(FilterField field) const;

  /// A range in which the local or the remote port of every match lies, where one follows from the
  /// filter: what a collector need not read beyond.
  [[nodiscard]] std::optional<model::PortRange> port_bounds() const;

  struct Range {
    uint64_t first = 0;
    uint64_t last = 0;
  };
  struct Network {
    model::IpAddress address;
    uint8_t bits = 0;
  };
  /// One comparison. What of the value lists is filled depends on the field.
  struct Test {
    FilterField field = FilterField::kPort;
    bool negated = false;
    bool substring = false;
    std::vector<Range> ranges;       ///< numbers; enumerations by their number
    std::vector<Network> networks;   ///< addresses
    std::vector<std::string> texts;  ///< names
  };
  enum class NodeKind : uint8_t { kAll, kAny, kNot, kTest };
  /// Nodes stand behind their children; the last one is the root.
  struct Node {
    NodeKind kind = NodeKind::kTest;
    std::vector<uint32_t> children;
    uint32_t test = 0;
  };

 private:
  friend class FilterParser;
  [[nodiscard]] bool matches(const model::Inventory& inventory, const model::Socket& socket,
                             const Node& node) const;
  [[nodiscard]] std::optional<model::PortRange> port_bounds(const Node& node) const;

  std::vector<Node> nodes_;
  std::vector<Test> tests_;
};

/// The fields by name, for help and completion; the first name of a field is the usual one.
struct FilterFieldName {
  std::string_view name;
  FilterField field;
  std::string_view help;  ///< "" for a second name
};
std::span<const FilterFieldName> filter_fields();

/// The page that `twinport help filter` prints; lines of at most 78 columns.
std::string filter_help();

}  // namespace ports
