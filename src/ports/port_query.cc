#include "ports/port_query.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace ports {
namespace {

using base::ErrorKind;

// A line of an article fits; a whole file pasted by mistake does not.
constexpr size_t kLongestQuery = 400;

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

std::unexpected<base::Error> usage(std::string message) {
  return base::fail(ErrorKind::kUsage, std::move(message));
}

constexpr std::string_view kForms =
    "write 1744, 1744/tcp, 10.0.0.5:56744, [::1]:22, 1743-1844 or a service name";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

/// RFC 6335 names, and the marks that other names of software carry.
bool is_name(std::string_view text) {
  return std::ranges::any_of(text, is_letter) && std::ranges::all_of(text, [](char c) {
           return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '+' ||
                  c == '*';
         });
}

/// Words that say what follows and nothing by themselves.
bool is_filler(std::string_view word) {
  static constexpr std::array<std::string_view, 8> kFillers{
      "port", "ports", "number", "no", "nr", "protocol", "and", "portnumber"};
  return std::ranges::any_of(
      kFillers, [&](std::string_view filler) { return base::equals_ignoring_case(filler, word); });
}

/// Dashes and blanks that typesetting puts in place of the keyboard's.
std::string plain_punctuation(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, char>, 11> kReplacements{{
      {"\u2010", '-'},
      {"\u2011", '-'},
      {"\u2012", '-'},
      {"\u2013", '-'},
      {"\u2014", '-'},
      {"\u2015", '-'},
      {"\u2212", '-'},
      {"\u00A0", ' '},
      {"\u202F", ' '},
      {"\u2009", ' '},
      {"\u3000", ' '},
  }};
  std::string out;
  while (!text.empty()) {
    const auto* found = std::ranges::find_if(
        kReplacements, [&](const auto& pair) { return text.starts_with(pair.first); });
    if (found != kReplacements.end()) {
      out += found->second;
      text.remove_prefix(found->first.size());
      continue;
    }
    const char c = text.front();
    out += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    text.remove_prefix(1);
  }
  return out;
}

/// Takes off what prose puts around a word: quotes, parentheses, commas, a final full stop.
std::string_view bare(std::string_view word) {
  while (!word.empty() && std::string_view("\"'`(<{,;").find(word.front()) != std::string::npos) {
    word.remove_prefix(1);
  }
  while (!word.empty() && std::string_view("\"'`)>},;.!?").find(word.back()) != std::string::npos) {
    word.remove_suffix(1);
  }
  if (word.size() > 1 && word.back() == ':' && is_letter(word[word.size() - 2])) {
    word.remove_suffix(1);
  }
  return word;
}

std::optional<model::Protocol> protocol_word(std::string_view word) {
  if (word.ends_with('6') || word.ends_with('4')) word.remove_suffix(1);  // netstat's "tcp6"
  const auto protocol = model::protocol_from_name(word);
  if (protocol == model::Protocol::kRaw) return std::nullopt;
  return protocol;
}

std::optional<model::IpAddress> parse_host(std::string_view host) {
  if (base::equals_ignoring_case(host, "localhost")) {
    return model::IpAddress::v6(model::parse_ip_address("::ffff:127.0.0.1")->bytes.data())
        .unmapped();
  }
  // A zone ("%eth0") names an interface of this host; the address alone is what we compare.
  std::string plain(host);
  const size_t zone = plain.find('%');
  if (zone != std::string::npos) {
    const size_t bracket = plain.find(']', zone);
    plain.erase(zone, (bracket == std::string::npos ? plain.size() : bracket) - zone);
  }
  const auto address = model::parse_ip_address(plain);
  // ::ffff:10.0.0.5 is how `ss` writes 10.0.0.5 on a socket of both families.
  return address ? std::optional(address->unmapped()) : std::nullopt;
}

/// How much a word's shape says that it is the port. The highest that occurs is taken.
enum class Mark : uint8_t {
  kBare,         ///< a number: it may as well be a pid, a year or a queue's length
  kSender,       ///< SPT=: where a packet came from
  kMarked,       ///< ADDRESS:PORT, N/tcp, "port N": nothing else is written so
  kDestination,  ///< DPT=: where a packet went
};

/// A word that may be what is asked for.
struct Candidate {
  Mark mark = Mark::kBare;
  base::Result<model::PortRange> ports = model::PortRange{};
  std::string name;  ///< "" = a number
  std::optional<model::IpAddress> address = std::nullopt;
  std::vector<model::Protocol> protocols = {};
  size_t word = 0;  ///< which one of the text
};

bool is_same(const Candidate& left, const Candidate& right) {
  if (!left.name.empty() || !right.name.empty()) return left.name == right.name;
  return left.ports && right.ports && *left.ports == *right.ports;
}

/// Reads the words one by one, keeps whatever may be the port, and chooses at the end.
class Parser {
 public:
  explicit Parser(std::string_view text) { query_.asked = base::trim(text); }

  base::Result<PortQuery> parse();

 private:
  struct Host {
    model::IpAddress address;
    size_t word = 0;
  };
  /// What the last words were, for the next one: "10.0.0.5 port 56744", "1744/tcp on 10.0.0.5".
  struct Before {
    bool port_word = false;  ///< "port"
    bool joins_on = false;   ///< "on" behind a port
    bool port = false;       ///< the last word was taken as a port
    std::optional<Host> host;
  };

  void take_url(std::string_view url);
  void take_word(std::string_view word);
  bool take_assignment(std::string_view word);
  // True where the word is of that shape and was taken.
  bool take_port(std::string_view word, Mark mark, std::optional<model::IpAddress> address);
  static bool take_protocols(std::string_view word, std::vector<model::Protocol>& out);
  bool take_with_address(std::string_view word);
  bool take_pair(std::string_view word, char separator);
  bool take_lone_address(std::string_view word);
  void add_name(std::string_view name, std::optional<model::IpAddress> address);
  /// What is wrong with the text if no port is found in it; the first such word is told.
  void refuse(std::string message);
  static void join_ranges(std::vector<std::string>& words);
  /// "10.0.0.5:43210->192.0.2.1:443", as lsof writes a connection, is two words.
  static void split_connections(std::vector<std::string>& words);
  [[nodiscard]] const Candidate* choose() const;
  void use(const Candidate& chosen);
  void set_protocol(const std::vector<model::Protocol>& protocols);

  PortQuery query_;
  std::vector<std::string> words_;
  std::vector<bool> understood_;  ///< of each word, whether it says something that is used
  size_t at_ = 0;                 ///< the word being read
  Before before_;
  std::vector<Candidate> candidates_;
  std::vector<model::Protocol> protocols_;  ///< that stand alone
  std::vector<std::string> name_words_;
  std::optional<Host> source_;       ///< SRC=
  std::optional<Host> destination_;  ///< DST=
  std::string refusal_;
  bool wildcard_ = false;  ///< a word had "*" for its port
};

void Parser::refuse(std::string message) {
  if (refusal_.empty()) refusal_ = std::move(message);
}

bool Parser::take_port(std::string_view word, Mark mark, std::optional<model::IpAddress> address) {
  const size_t dash = word.find('-');
  const std::string_view first = word.substr(0, dash);
  const std::string_view last =
      dash == std::string_view::npos ? std::string_view{} : word.substr(dash + 1);
  const bool range = dash != std::string_view::npos;
  if (!is_number(first) || (range && !is_number(last))) return false;
  Candidate candidate{.mark = mark, .name = {}, .address = address, .word = at_};
  if (const auto parsed = model::parse_port_range(word)) {
    candidate.ports = *parsed;
  } else {
    const auto low = base::parse_number<uint16_t>(first);
    const auto high = range ? base::parse_number<uint16_t>(last) : low;
    candidate.ports =
        !low || !high ? usage(quoted(word) + " is not a port: ports are numbers from 0 to 65535")
                      : usage("the range " + quoted(word) + " runs backwards; write " +
                              std::to_string(*high) + "-" + std::to_string(*low));
  }
  candidates_.push_back(std::move(candidate));
  return true;
}

void Parser::add_name(std::string_view name, std::optional<model::IpAddress> address) {
  candidates_.push_back(
      {.mark = Mark::kMarked, .name = base::to_lower(name), .address = address, .word = at_});
}

bool Parser::take_protocols(std::string_view word, std::vector<model::Protocol>& out) {
  std::vector<model::Protocol> found;
  while (!word.empty()) {
    const size_t end = word.find_first_of("/+,&|");
    const auto protocol = protocol_word(word.substr(0, end));
    if (!protocol) return false;
    found.push_back(*protocol);
    word.remove_prefix(end == std::string_view::npos ? word.size() : end + 1);
  }
  out.insert(out.end(), found.begin(), found.end());
  return !found.empty();
}

/// "1744/tcp", "tcp/1744", "tcp:443", "ssh/tcp": one side names the transport.
bool Parser::take_pair(std::string_view word, char separator) {
  const size_t at = word.find(separator);
  if (at == std::string_view::npos) return false;
  std::string_view left = word.substr(0, at);
  std::string_view right = word.substr(at + 1);
  std::vector<model::Protocol> protocols;
  if (!take_protocols(right, protocols)) {
    if (!take_protocols(left, protocols)) return false;
    std::swap(left, right);
  }
  if (left.empty()) {
    protocols_.insert(protocols_.end(), protocols.begin(), protocols.end());
    return true;
  }
  if (!take_port(left, Mark::kMarked, std::nullopt) && !take_with_address(left)) {
    if (!is_name(left)) {
      refuse("cannot read " + quoted(left) + " in " + quoted(word) + " as a port; " +
             std::string(kForms));
      return false;
    }
    add_name(left, std::nullopt);
  }
  if (!candidates_.empty() && candidates_.back().word == at_) {
    candidates_.back().protocols = std::move(protocols);
  }
  return true;
}

/// "10.0.0.5:22", "[::1]:22", ":22", "*:22", "10.0.0.5#53" and tcpdump's "10.0.0.5.22".
bool Parser::take_with_address(std::string_view word) {
  size_t at = word.find_last_of(":#");
  if (at == std::string_view::npos) {
    if (std::ranges::count(word, '.') != 4) return false;
    at = word.rfind('.');
  }
  const std::string_view host = word.substr(0, at);
  const std::string_view port = word.substr(at + 1);
  if (!host.contains('[') && std::ranges::count(host, ':') >= 1 && host != "::" &&
      model::parse_ip_address(word)) {
    return false;  // an IPv6 address, or one with a port behind it; nobody can tell
  }
  const bool no_address = host.empty() || host == "*";
  const auto address = no_address ? std::nullopt : parse_host(host);
  if (!no_address && !address) return false;
  if (port == "*") {
    wildcard_ = true;
    refuse(quoted(word) + " names no port; " + std::string(kForms));
    understood_[at_] = true;  // the other half of a listener's line says nothing
    return true;
  }
  if (port.empty() || (!is_number(port) && !model::parse_port_range(port))) {
    if (!is_name(port)) return false;
    add_name(port, address);
    return true;
  }
  return take_port(port, Mark::kMarked, address);
}

/// An address that belongs to the port before it ("on") or to the one behind it, if any.
bool Parser::take_lone_address(std::string_view word) {
  const auto address = parse_host(word);
  if (!address || is_name(word)) return false;
  if (before_.joins_on && !candidates_.empty() && !candidates_.back().address) {
    candidates_.back().address = address;
    understood_[at_] = true;
    return true;
  }
  before_.host = Host{*address, at_};
  refuse(quoted(word) + (word.contains(':') && !word.contains('[')
                             ? " is an IPv6 address, or has a port behind one; write [ADDRESS]:PORT"
                             : " is an address without a port; write it as ADDRESS:PORT"));
  return true;
}

/// A firewall's log: "SRC=203.0.113.9 DST=10.0.0.5 PROTO=TCP SPT=56744 DPT=1744". The destination's
/// port is what was knocked at; the source's is the sender's own, and goes with its address.
bool Parser::take_assignment(std::string_view word) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string key = base::to_lower(word.substr(0, equals));
  const std::string_view value = word.substr(equals + 1);
  const auto is = [&](std::initializer_list<std::string_view> keys) {
    return std::ranges::find(keys, key) != keys.end();
  };
  const auto host_of = [&](std::string_view text) {
    const auto address = parse_host(text);
    return address ? std::optional(Host{*address, at_}) : std::nullopt;
  };
  if (is({"src", "saddr", "src_ip"}) && !source_) source_ = host_of(value);
  if (is({"dst", "daddr", "dst_ip"}) && !destination_) destination_ = host_of(value);
  if (is({"proto", "protocol"})) understood_[at_] = take_protocols(value, protocols_);
  if (is({"port"}) && !take_port(value, Mark::kMarked, std::nullopt) && is_name(value)) {
    add_name(value, std::nullopt);
  }
  if (is({"spt", "sport", "src_port"})) take_port(value, Mark::kSender, std::nullopt);
  if (is({"dpt", "dport", "dst_port"})) take_port(value, Mark::kDestination, std::nullopt);
  return true;
}

void Parser::take_word(std::string_view word) {
  const Before before = std::exchange(before_, {});
  if (word.empty() || is_filler(word)) {
    before_.port_word = base::equals_ignoring_case(word, "port") || before.port_word ||
                        base::equals_ignoring_case(word, "ports");
    before_.host = before.host;
    understood_[at_] = true;
    return;
  }
  if (take_assignment(word)) return;
  if (take_protocols(word, protocols_)) {
    before_ = before;
    understood_[at_] = true;
    return;
  }
  before_.joins_on = before.port && (base::equals_ignoring_case(word, "on") ||
                                     base::equals_ignoring_case(word, "at"));
  if (before_.joins_on) {
    name_words_.emplace_back(word);
    return;
  }
  before_.port = true;
  if (take_port(word, before.port_word ? Mark::kMarked : Mark::kBare, std::nullopt)) {
    if (before.host) {
      candidates_.back().address = before.host->address;
      understood_[before.host->word] = true;
    }
    return;
  }
  if (take_with_address(word) || take_pair(word, '/') || take_pair(word, ':')) return;
  before_.port = false;
  before_.joins_on = before.joins_on;
  if (take_lone_address(word)) return;
  before_.joins_on = false;
  if (word.front() == '-' && is_number(word.substr(1))) {
    refuse(quoted(word) + " is not a port: ports are numbers from 0 to 65535");
  }
  if (is_name(word)) name_words_.emplace_back(word);
}

void Parser::take_url(std::string_view url) {
  const size_t mark = url.find("://");
  const std::string_view scheme = url.substr(0, mark);
  std::string_view authority = url.substr(mark + 3);
  authority = authority.substr(0, authority.find_first_of("/?# "));
  if (const size_t user = authority.rfind('@'); user != std::string_view::npos) {
    authority.remove_prefix(user + 1);
  }
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  const std::string_view host = authority.substr(0, has_port ? colon : authority.size());
  const auto address = parse_host(host);
  if (!address && !host.empty()) query_.ignored.emplace_back(host);
  if (has_port && colon + 1 < authority.size()) {
    const std::string_view port = authority.substr(colon + 1);
    if (take_port(port, Mark::kMarked, address)) return;
    refuse("the port " + quoted(port) + " of the address " + quoted(url) + " is no number; " +
           std::string(kForms));
    return;
  }
  if (is_name(scheme)) {
    add_name(scheme, address);
  } else {
    refuse("cannot read " + quoted(url) + "; " + std::string(kForms));
  }
}

/// "1743 - 1844" and "1743 to 1844" become one word.
void Parser::join_ranges(std::vector<std::string>& words) {
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    const std::string& middle = words[i + 1];
    if (middle != "-" && middle != "to" && middle != "through" && middle != "..") continue;
    const std::string first(bare(words[i]));
    const std::string last(bare(words[i + 2]));
    if (!is_number(first) || !is_number(last)) continue;
    words[i] = first + "-" + last;
    words.erase(words.begin() + static_cast<ptrdiff_t>(i) + 1,
                words.begin() + static_cast<ptrdiff_t>(i) + 3);
  }
}

void Parser::split_connections(std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t arrow = words[i].find("->");
    if (arrow == std::string::npos) continue;
    std::string peer = words[i].substr(arrow + 2);
    words[i].resize(arrow);
    words.insert(words.begin() + static_cast<ptrdiff_t>(i) + 1, std::move(peer));
  }
}

/// The first of those that are marked most clearly.
const Candidate* Parser::choose() const {
  const auto best = std::ranges::max_element(candidates_, {}, &Candidate::mark);
  if (best == candidates_.end()) return nullptr;
  // "0 4096 *:*": what stands where the port belongs is no port, so a number beside it is none.
  if (best->mark == Mark::kBare && wildcard_) return nullptr;
  return &*best;
}

void Parser::set_protocol(const std::vector<model::Protocol>& protocols) {
  // Two transports named side by side mean both, that is, no restriction.
  if (!protocols.empty() &&
      std::ranges::all_of(protocols, [&](auto p) { return p == protocols.front(); })) {
    query_.protocol = protocols.front();
  }
}

void Parser::use(const Candidate& chosen) {
  query_.address = chosen.address;
  const auto end_of = [&](const std::optional<Host>& host) {
    if (!host) return;
    query_.address = host->address;
    understood_[host->word] = true;
  };
  if (chosen.mark == Mark::kSender) end_of(source_);
  if (chosen.mark == Mark::kDestination) end_of(destination_);
  query_.name = chosen.name;
  if (chosen.name.empty()) query_.ports.push_back(*chosen.ports);
  std::vector<model::Protocol> protocols;
  for (const Candidate& other : candidates_) {
    if (!is_same(other, chosen)) continue;
    protocols.insert(protocols.end(), other.protocols.begin(), other.protocols.end());
    understood_[other.word] = true;
  }
  if (protocols.empty()) protocols = protocols_;
  set_protocol(protocols);
  for (size_t i = 0; i < words_.size(); ++i) {
    if (!understood_[i]) query_.ignored.push_back(words_[i]);
  }
}

base::Result<PortQuery> Parser::parse() {
  if (query_.asked.empty()) return usage("no port was given; " + std::string(kForms));
  if (query_.asked.size() > kLongestQuery) {
    return usage("a port was expected and " + std::to_string(query_.asked.size()) +
                 " bytes of text were given; " + std::string(kForms));
  }
  const std::string text = plain_punctuation(query_.asked);
  std::string_view rest = text;
  for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
    words_.emplace_back(word);
  }
  join_ranges(words_);
  split_connections(words_);
  for (std::string& word : words_) word = std::string(bare(word));
  understood_.resize(words_.size());
  for (at_ = 0; at_ < words_.size(); ++at_) {
    if (words_[at_].contains("://")) {
      take_url(words_[at_]);
    } else {
      take_word(words_[at_]);
    }
  }
  if (const Candidate* chosen = choose()) {
    if (!chosen->ports) return std::unexpected(chosen->ports.error());
    use(*chosen);
  } else if (!refusal_.empty()) {
    return usage(std::move(refusal_));
  } else {
    set_protocol(protocols_);
    for (const std::string& word : name_words_) {
      if (!query_.name.empty()) query_.name += ' ';
      query_.name += base::to_lower(word);
    }
  }
  if (query_.ports.empty() && query_.name.empty()) {
    return usage("found no port in " + quoted(query_.asked) + "; " + std::string(kForms));
  }
  // A socket on any address is asked for by its port alone.
  if (query_.address && query_.address->is_any()) query_.address.reset();
  return std::move(query_);
}

}  // namespace

bool PortQuery::covers(uint16_t port) const {
  return std::ranges::any_of(ports, [&](model::PortRange range) { return range.contains(port); });
}

base::Result<PortQuery> parse_port_query(std::string_view text) { return Parser(text).parse(); }

}  // namespace ports
