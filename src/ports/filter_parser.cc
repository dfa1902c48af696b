// The parser of filters: text to nodes and tests, by recursive descent with a bounded depth.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/nearest.h"
#include "base/text.h"
#include "ports/filter.h"

namespace ports {
namespace {

using Test = Filter::Test;

enum class TokenKind : uint8_t { kEnd, kWord, kQuoted, kOperator, kOpen, kClose, kComma };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t at = 0;          ///< byte offset in the text
  std::string_view text;  ///< without quotes
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

/// The text with a caret below the column of `at`, cut to a window when it is long.
std::string pointed_at(std::string_view text, size_t at) {
  constexpr size_t kBefore = 40;
  constexpr size_t kAfter = 30;
  size_t begin = at > kBefore ? at - kBefore : 0;
  size_t end = std::min(text.size(), at + kAfter);
  const auto inside_character = [&](size_t i) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80;
  };
  while (begin > 0 && inside_character(begin)) --begin;
  while (end < text.size() && inside_character(end)) ++end;
  const std::string before =
      (begin > 0 ? "..." : "") + base::escape_for_terminal(text.substr(begin, at - begin));
  const std::string after = base::escape_for_terminal(text.substr(at, end - at));
  return "  " + before + after + (end < text.size() ? "..." : "") + "\n  " +
         std::string(base::display_width(before), ' ') + "^";
}

struct NamedNumber {
  std::string_view name;
  uint64_t number;
};

constexpr std::array<NamedNumber, 6> kFamilies{
    {{"ipv4", 4}, {"ipv6", 6}, {"4", 4}, {"6", 6}, {"inet", 4}, {"inet6", 6}}};

constexpr std::array<std::string_view, 6> kProtocols{"tcp", "udp",  "udplite",
                                                     "raw", "sctp", "dccp"};
constexpr std::array<std::string_view, 13> kStates{
    "established", "syn-sent", "syn-recv",    "fin-wait-1", "fin-wait-2", "time-wait", "close-wait",
    "last-ack",    "listen",   "unconnected", "closing",    "bound",      "closed"};
constexpr std::array<model::Holding, 10> kHoldings{
    model::Holding::kUnknown,   model::Holding::kOwned,        model::Holding::kTimeWait,
    model::Holding::kHandshake, model::Holding::kNotAccepted,  model::Holding::kOrphaned,
    model::Holding::kKernel,    model::Holding::kNoDescriptor, model::Holding::kHidden,
    model::Holding::kVanished};

enum class ValueKind : uint8_t { kNumber, kPort, kAddress, kName, kText, kNamespace };

ValueKind value_kind(FilterField field) {
  switch (field) {
    case FilterField::kPort:
    case FilterField::kLocalPort:
    case FilterField::kRemotePort:
      return ValueKind::kPort;
    case FilterField::kAddress:
    case FilterField::kLocalAddress:
    case FilterField::kRemoteAddress:
      return ValueKind::kAddress;
    case FilterField::kProtocol:
    case FilterField::kState:
    case FilterField::kFamily:
    case FilterField::kHolding:
      return ValueKind::kName;
    case FilterField::kCommand:
    case FilterField::kExe:
    case FilterField::kUser:
    case FilterField::kUnit:
    case FilterField::kContainer:
    case FilterField::kPackage:
      return ValueKind::kText;
    case FilterField::kNamespace:
      return ValueKind::kNamespace;
    default:
      return ValueKind::kNumber;
  }
}

std::optional<uint64_t> state_number(std::string_view word) {
  std::string plain = base::to_lower(word);
  std::ranges::replace(plain, '_', '-');
  const auto state = model::state_from_name(plain);
  if (!state) return std::nullopt;
  return static_cast<uint64_t>(
      *state == model::SocketState::kNewSynReceived ? model::SocketState::kSynReceived : *state);
}

/// The number behind a word of an enumerated field.
std::optional<uint64_t> number_of_name(FilterField field, std::string_view word) {
  if (field == FilterField::kProtocol) {
    const auto protocol = model::protocol_from_name(word);
    return protocol ? std::optional(static_cast<uint64_t>(*protocol)) : std::nullopt;
  }
  if (field == FilterField::kState) return state_number(word);
  if (field == FilterField::kFamily) {
    for (const NamedNumber& family : kFamilies) {
      if (base::equals_ignoring_case(family.name, word)) return family.number;
    }
    return std::nullopt;
  }
  for (const model::Holding holding : kHoldings) {
    if (base::equals_ignoring_case(model::holding_name(holding), word)) {
      return static_cast<uint64_t>(holding);
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> names_of(FilterField field) {
  if (field == FilterField::kProtocol) return {kProtocols.begin(), kProtocols.end()};
  if (field == FilterField::kState) return {kStates.begin(), kStates.end()};
  if (field == FilterField::kFamily) return {"ipv4", "ipv6"};
  std::vector<std::string_view> out;
  for (const model::Holding holding : kHoldings) out.push_back(model::holding_name(holding));
  return out;
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

std::optional<Filter::Range> parse_range(std::string_view text, uint64_t largest) {
  const size_t dash = text.find('-');
  const auto first = base::parse_number<uint64_t>(text.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : base::parse_number<uint64_t>(text.substr(dash + 1));
  if (!first || !last || *last < *first || *last > largest) return std::nullopt;
  return Filter::Range{*first, *last};
}

/// Appends the networks that the word means; false when it means none.
bool add_networks(std::string_view word, std::vector<Filter::Network>& out) {
  const auto add = [&](std::string_view address, uint8_t bits) {
    out.push_back({*model::parse_ip_address(address), bits});
  };
  if (word == "*" || base::equals_ignoring_case(word, "any")) {
    add("0.0.0.0", 32);
    add("::", 128);
    return true;
  }
  if (base::equals_ignoring_case(word, "loopback") ||
      base::equals_ignoring_case(word, "localhost")) {
    add("127.0.0.0", 8);
    add("::1", 128);
    return true;
  }
  const size_t slash = word.find('/');
  const auto parsed = model::parse_ip_address(word.substr(0, slash));
  if (!parsed) return false;
  const model::IpAddress address = parsed->unmapped();
  const uint8_t width = address.family == model::Family::kIpv4 ? 32 : 128;
  uint8_t bits = width;
  if (slash != std::string_view::npos) {
    const auto given = base::parse_number<uint8_t>(word.substr(slash + 1));
    // The prefix of ::ffff:a.b.c.d/N counts from the IPv6 address' beginning.
    const int shift = parsed->is_v4_mapped() ? 96 : 0;
    if (!given || *given < shift || *given - shift > width) return false;
    bits = static_cast<uint8_t>(*given - shift);
  }
  out.push_back({address, bits});
  return true;
}

const FilterFieldName* find_field(std::string_view word) {
  for (const FilterFieldName& field : filter_fields()) {
    if (base::equals_ignoring_case(field.name, word)) return &field;
  }
  return nullptr;
}

}  // namespace

class FilterParser {
 public:
  FilterParser(std::string_view text, const Filter::PortReader& read_port)
      : text_(text), read_port_(read_port) {}

  base::Result<Filter> parse() {
    if (text_.size() > Filter::kLongestText) {
      return base::fail(base::ErrorKind::kUsage,
                        "the filter is " + std::to_string(text_.size()) + " bytes long; at most " +
                            std::to_string(Filter::kLongestText) + " are taken");
    }
    advance();
    if (!error_ && token_.kind != TokenKind::kEnd) parse_any(0);
    if (!error_ && token_.kind != TokenKind::kEnd) fail_here("the end of the filter or a test");
    if (error_) return std::unexpected(std::move(*error_));
    return std::move(filter_);
  }

 private:
  using NodeKind = Filter::NodeKind;

  void advance();
  void read_quoted(char quote);
  void fail_at(size_t at, const std::string& message);
  /// "expected WHAT, found TOKEN".
  void fail_here(const std::string& expected, std::string_view suggestion = {});
  void fail_at_port(const std::string& expected, std::string_view suggestion = {});
  [[nodiscard]] bool at_word(std::string_view keyword) const;
  [[nodiscard]] bool at_operator(std::string_view sign) const;
  [[nodiscard]] bool at_unary() const;

  uint32_t add_node(NodeKind kind, std::vector<uint32_t> children, uint32_t test = 0);
  uint32_t parse_any(size_t depth);
  uint32_t parse_all(size_t depth);
  uint32_t parse_unary(size_t depth);
  uint32_t parse_test();
  uint32_t parse_alone();
  bool parse_operator(Test& test);
  void parse_ordering(Test& test, std::string_view sign);
  void parse_values(Test& test);
  void parse_value(Test& test);

  uint32_t add_test(Test test);
  uint32_t add_port(const PortQuery& port);
  uint32_t parse_ports();
  [[nodiscard]] std::optional<PortQuery> port_here() const;

  std::string_view text_;
  const Filter::PortReader& read_port_;
  bool took_ports_ = false;  ///< what was parsed last is ports without a field
  size_t position_ = 0;
  Token token_;
  std::optional<base::Error> error_;
  Filter filter_;
};

void FilterParser::fail_at(size_t at, const std::string& message) {
  if (error_) return;
  const size_t column = base::display_width(base::escape_for_terminal(text_.substr(0, at))) + 1;
  error_ =
      base::Error{base::ErrorKind::kUsage,
                  "the filter cannot be read at column " + std::to_string(column) + ": " + message +
                      "\n" + pointed_at(text_, at) + "\nSee `twinport help filter`."};
  token_ = {};
}

void FilterParser::fail_here(const std::string& expected, std::string_view suggestion) {
  std::string message = "expected " + expected;
  message += token_.kind == TokenKind::kEnd ? ", found the end" : ", found " + quoted(token_.text);
  if (!suggestion.empty()) message += "; did you mean " + quoted(suggestion) + "?";
  fail_at(token_.at, message);
}

void FilterParser::read_quoted(char quote) {
  const size_t end = text_.find(quote, position_ + 1);
  if (end == std::string_view::npos) {
    fail_at(position_, std::string("the quote ") + quote + " is never closed");
    return;
  }
  token_ = {TokenKind::kQuoted, position_, text_.substr(position_ + 1, end - position_ - 1)};
  position_ = end + 1;
}

void FilterParser::advance() {
  while (position_ < text_.size() && is_blank(text_[position_])) ++position_;
  token_ = {TokenKind::kEnd, position_, {}};
  if (position_ == text_.size()) return;
  const char c = text_[position_];
  if (c == '"' || c == '\'') {
    read_quoted(c);
    return;
  }
  static constexpr std::array<std::string_view, 13> kOperators{
      "==", "!=", "<=", ">=", "!~", "&&", "||", "=", "<", ">", "~", "!", "&"};
  for (const std::string_view sign : kOperators) {
    if (!text_.substr(position_).starts_with(sign)) continue;
    token_ = {TokenKind::kOperator, position_, text_.substr(position_, sign.size())};
    position_ += sign.size();
    return;
  }
  if (c == '(' || c == ')' || c == ',') {
    const TokenKind kind = c == '('   ? TokenKind::kOpen
                           : c == ')' ? TokenKind::kClose
                                      : TokenKind::kComma;
    token_ = {kind, position_, text_.substr(position_, 1)};
    ++position_;
    return;
  }
  size_t end = position_;
  while (end < text_.size() && !is_blank(text_[end]) &&
         std::string_view("()<>=!~,&|\"'").find(text_[end]) == std::string_view::npos) {
    ++end;
  }
  if (end == position_) ++end;  // a lone sign of another language, such as "|"
  token_ = {TokenKind::kWord, position_, text_.substr(position_, end - position_)};
  position_ = end;
}

bool FilterParser::at_word(std::string_view keyword) const {
  return token_.kind == TokenKind::kWord && base::equals_ignoring_case(token_.text, keyword);
}

bool FilterParser::at_operator(std::string_view sign) const {
  return token_.kind == TokenKind::kOperator && token_.text == sign;
}

bool FilterParser::at_unary() const {
  if (token_.kind == TokenKind::kWord) return !at_word("or") && !at_word("and");
  return token_.kind == TokenKind::kOpen || at_operator("!");
}

uint32_t FilterParser::add_node(NodeKind kind, std::vector<uint32_t> children, uint32_t test) {
  filter_.nodes_.push_back({kind, std::move(children), test});
  return static_cast<uint32_t>(filter_.nodes_.size() - 1);
}

uint32_t FilterParser::parse_any(size_t depth) {
  std::vector<uint32_t> children{parse_all(depth)};
  while (!error_ && (at_word("or") || at_operator("||"))) {
    advance();
    children.push_back(parse_all(depth));
  }
  return children.size() == 1 ? children[0] : add_node(NodeKind::kAny, std::move(children));
}

uint32_t FilterParser::parse_all(size_t depth) {
  std::vector<uint32_t> children;
  std::vector<uint32_t> ports;  // that stand side by side: any of them
  const auto take = [&] {
    took_ports_ = false;
    const uint32_t child = parse_unary(depth);
    (took_ports_ ? ports : children).push_back(child);
    took_ports_ = false;
  };
  const auto end_ports = [&] {
    if (ports.empty()) return;
    children.push_back(ports.size() == 1 ? ports[0]
                                         : add_node(NodeKind::kAny, std::exchange(ports, {})));
    ports.clear();
  };
  take();
  while (!error_) {
    if (at_word("and") || at_operator("&&")) {
      end_ports();
      advance();
    } else if (!at_unary()) {
      break;
    }
    take();
  }
  end_ports();
  return children.size() == 1 ? children[0] : add_node(NodeKind::kAll, std::move(children));
}

uint32_t FilterParser::parse_unary(size_t depth) {
  if (error_) return 0;
  if (depth >= Filter::kDeepestNesting) {
    fail_at(token_.at, "the filter is nested deeper than " +
                           std::to_string(Filter::kDeepestNesting) + " levels");
    return 0;
  }
  if (at_word("not") || at_operator("!")) {
    advance();
    const uint32_t child = parse_unary(depth + 1);
    took_ports_ = false;
    return add_node(NodeKind::kNot, {child});
  }
  if (token_.kind != TokenKind::kOpen) return parse_test();
  const size_t opened_at = token_.at;
  advance();
  const uint32_t inner = parse_any(depth + 1);
  took_ports_ = false;
  if (error_) return 0;
  if (token_.kind == TokenKind::kEnd) {
    fail_at(opened_at, "the parenthesis is never closed");
    return 0;
  }
  if (token_.kind != TokenKind::kClose) {
    fail_here("\")\", \"and\" or \"or\"");
    return 0;
  }
  advance();
  return inner;
}

uint32_t FilterParser::add_test(Test test) {
  filter_.tests_.push_back(std::move(test));
  return add_node(NodeKind::kTest, {}, static_cast<uint32_t>(filter_.tests_.size() - 1));
}

/// The port that the word names, if it does. A sign behind it makes it a mistyped field.
std::optional<PortQuery> FilterParser::port_here() const {
  if (token_.kind != TokenKind::kWord) return std::nullopt;
  const std::string_view behind = base::trim(text_.substr(position_));
  if (!behind.empty() && std::string_view("=<>~").contains(behind.front())) return std::nullopt;
  if (behind.starts_with("!=") || behind.starts_with("!~")) return std::nullopt;
  auto port = read_port_(token_.text);
  if (!port || port->ports.empty() || !port->ignored.empty()) return std::nullopt;
  return std::move(*port);
}

uint32_t FilterParser::add_port(const PortQuery& port) {
  const auto with_ranges = [&](FilterField field) {
    Test test;
    test.field = field;
    for (const model::PortRange range : port.ports)
      test.ranges.push_back({range.first, range.last});
    return add_test(std::move(test));
  };
  const auto at_address = [&](FilterField field, bool any_too) {
    Test test;
    test.field = field;
    const auto bits = [](const model::IpAddress& address) {
      return static_cast<uint8_t>(address.family == model::Family::kIpv4 ? 32 : 128);
    };
    test.networks.push_back({*port.address, bits(*port.address)});
    if (any_too) add_networks("any", test.networks);
    return add_test(std::move(test));
  };
  uint32_t node = 0;
  if (port.address) {
    // A socket on any address takes calls to this one too.
    const uint32_t local = add_node(NodeKind::kAll, {with_ranges(FilterField::kLocalPort),
                                                     at_address(FilterField::kLocalAddress, true)});
    const uint32_t remote = add_node(
        NodeKind::kAll,
        {with_ranges(FilterField::kRemotePort), at_address(FilterField::kRemoteAddress, false)});
    node = add_node(NodeKind::kAny, {local, remote});
  } else {
    node = with_ranges(FilterField::kPort);
  }
  if (!port.protocol) return node;
  Test test;
  test.field = FilterField::kProtocol;
  const auto number = static_cast<uint64_t>(*port.protocol);
  test.ranges.push_back({number, number});
  const uint32_t protocol = add_test(std::move(test));
  return add_node(NodeKind::kAll, {node, protocol});
}

/// Whoever begins with a number meant a port: what is wrong with it, the port's reader knows.
void FilterParser::fail_at_port(const std::string& expected, std::string_view suggestion) {
  const std::string_view number = token_.text.substr(token_.text.starts_with('-') ? 1 : 0);
  if (!number.empty() && number.front() >= '0' && number.front() <= '9') {
    if (const auto port = read_port_(token_.text); !port) {
      fail_at(token_.at, port.error().message);
      return;
    }
  }
  fail_here(expected, suggestion);
}

/// One port or several, joined by commas.
uint32_t FilterParser::parse_ports() {
  std::vector<uint32_t> children;
  while (true) {
    const auto port = port_here();
    if (!port) {
      fail_at_port("a port such as 22, 22/tcp or 10.0.0.5:443");
      return 0;
    }
    children.push_back(add_port(*port));
    advance();
    if (error_ || token_.kind != TokenKind::kComma) break;
    advance();
  }
  took_ports_ = true;
  return children.size() == 1 ? children[0] : add_node(NodeKind::kAny, std::move(children));
}

/// A port, a range, a protocol or a state without a field in front.
uint32_t FilterParser::parse_alone() {
  Test test;
  if (const auto protocol = number_of_name(FilterField::kProtocol, token_.text)) {
    test.field = FilterField::kProtocol;
    test.ranges.push_back({*protocol, *protocol});
  } else if (const auto state = state_number(token_.text)) {
    test.field = FilterField::kState;
    test.ranges.push_back({*state, *state});
  } else if (port_here()) {
    return parse_ports();
  } else {
    std::vector<std::string_view> names;
    for (const FilterFieldName& field : filter_fields()) names.push_back(field.name);
    names.insert(names.end(), kProtocols.begin(), kProtocols.end());
    names.insert(names.end(), kStates.begin(), kStates.end());
    fail_at_port("a port, or a field such as port, state or command",
                 base::nearest_word(token_.text, names));
    return 0;
  }
  advance();
  return add_test(std::move(test));
}

uint32_t FilterParser::parse_test() {
  if (token_.kind != TokenKind::kWord) {
    fail_here("a field such as port, state or command");
    return 0;
  }
  const FilterFieldName* field = find_field(token_.text);
  if (field == nullptr) return parse_alone();
  Test test;
  test.field = field->field;
  advance();
  if (!parse_operator(test)) return 0;
  return add_test(std::move(test));
}

bool FilterParser::parse_operator(Test& test) {
  const bool negated_in = at_word("not");
  if (negated_in) advance();
  if (at_word("in")) {
    test.negated = negated_in;
    advance();
    const bool open = token_.kind == TokenKind::kOpen;
    if (open) advance();
    parse_values(test);
    if (error_) return false;
    if (open) {
      if (token_.kind != TokenKind::kClose) {
        fail_here("\",\" or \")\"");
        return false;
      }
      advance();
    }
    return true;
  }
  if (negated_in) {
    fail_here("\"in\"");
    return false;
  }
  if (token_.kind != TokenKind::kOperator || at_operator("!") || at_operator("&") ||
      at_operator("&&") || at_operator("||")) {
    fail_here("one of =, !=, <, <=, >, >=, ~ or \"in\"");
    return false;
  }
  const std::string_view sign = token_.text;
  if (sign.front() == '<' || sign.front() == '>') {
    parse_ordering(test, sign);
    return !error_;
  }
  test.negated = sign.front() == '!';
  test.substring = sign.back() == '~';
  const ValueKind kind = value_kind(test.field);
  if (test.substring && kind != ValueKind::kText && kind != ValueKind::kNamespace) {
    fail_here("=, != or \"in\", since \"~\" looks inside names");
    return false;
  }
  advance();
  parse_values(test);
  return !error_;
}

void FilterParser::parse_ordering(Test& test, std::string_view sign) {
  const ValueKind kind = value_kind(test.field);
  if (kind != ValueKind::kNumber && kind != ValueKind::kPort) {
    fail_here("=, != or \"in\", since \"" + std::string(sign) + "\" compares numbers");
    return;
  }
  advance();
  const auto number = base::parse_number<uint64_t>(token_.text);
  if (token_.kind != TokenKind::kWord || !number) {
    fail_here("a number");
    return;
  }
  constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();
  // An empty set of ranges is never true, which is what "< 0" means.
  if (sign == "<=") test.ranges.push_back({0, *number});
  if (sign == ">=") test.ranges.push_back({*number, kLargest});
  if (sign == "<" && *number > 0) test.ranges.push_back({0, *number - 1});
  if (sign == ">" && *number < kLargest) test.ranges.push_back({*number + 1, kLargest});
  advance();
}

void FilterParser::parse_values(Test& test) {
  parse_value(test);
  while (!error_ && token_.kind == TokenKind::kComma) {
    advance();
    parse_value(test);
  }
}

void FilterParser::parse_value(Test& test) {
  if (error_) return;
  if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kQuoted) {
    fail_here("a value");
    return;
  }
  const std::string_view word = token_.text;
  switch (value_kind(test.field)) {
    case ValueKind::kPort:
    case ValueKind::kNumber: {
      const bool port = value_kind(test.field) == ValueKind::kPort;
      const auto range = parse_range(word, port ? 65535 : std::numeric_limits<uint64_t>::max());
      if (!range) {
        fail_here(port ? "a port from 0 to 65535 or a range such as 1743-1844"
                       : "a number or a range such as 10-20");
        return;
      }
      test.ranges.push_back(*range);
      break;
    }
    case ValueKind::kAddress:
      if (!add_networks(word, test.networks)) {
        fail_here("an address such as 10.0.0.5, a network such as 10.0.0.0/8, any or loopback");
        return;
      }
      break;
    case ValueKind::kName: {
      const auto number = number_of_name(test.field, word);
      if (!number) {
        const std::vector<std::string_view> names = names_of(test.field);
        fail_here("one of " + listed(names), base::nearest_word(word, names));
        return;
      }
      test.ranges.push_back({*number, *number});
      break;
    }
    case ValueKind::kNamespace:
      if (const auto number = base::parse_number<uint64_t>(word)) {
        test.ranges.push_back({*number, *number});
      }
      test.texts.emplace_back(word);
      break;
    case ValueKind::kText:
      test.texts.emplace_back(word);
      break;
  }
  advance();
}

base::Result<Filter> Filter::parse(std::string_view text, const PortReader& read_port) {
  return FilterParser(text, read_port).parse();
}

}  // namespace ports
