#include "ports/port_query.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/nearest.h"
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

/// Fills a PortQuery word by word.
class Parser {
 public:
  explicit Parser(std::string_view text) { query_.asked = base::trim(text); }

  base::Result<PortQuery> parse();

 private:
  base::Result<void> take_url(std::string_view url);
  base::Result<void> take_word(std::string_view word);
  /// True where the word is of that shape and was taken.
  base::Result<bool> take_port(std::string_view word);
  bool take_protocols(std::string_view word);
  base::Result<bool> take_with_address(std::string_view word);
  base::Result<bool> take_pair(std::string_view word, char separator);
  void take_name(std::string_view word);
  void join_ranges(std::vector<std::string>& words);

  PortQuery query_;
  std::vector<model::Protocol> protocols_;
  std::vector<std::string> name_words_;
};

base::Result<bool> Parser::take_port(std::string_view word) {
  const size_t dash = word.find('-');
  const std::string_view first = word.substr(0, dash);
  const std::string_view last =
      dash == std::string_view::npos ? std::string_view{} : word.substr(dash + 1);
  const bool range = dash != std::string_view::npos;
  if (!is_number(first) || (range && !is_number(last))) return false;
  if (!query_.ports.empty()) {
    query_.ignored.emplace_back(word);
    return true;
  }
  const auto parsed = model::parse_port_range(word);
  if (!parsed) {
    const auto low = base::parse_number<uint16_t>(first);
    const auto high = range ? base::parse_number<uint16_t>(last) : low;
    if (!low || !high) {
      return usage(quoted(word) + " is not a port: ports are numbers from 0 to 65535");
    }
    return usage("the range " + quoted(word) + " runs backwards; write " + std::to_string(*high) +
                 "-" + std::to_string(*low));
  }
  query_.ports.push_back(*parsed);
  return true;
}

bool Parser::take_protocols(std::string_view word) {
  std::vector<model::Protocol> found;
  while (!word.empty()) {
    const size_t end = word.find_first_of("/+,&|");
    const auto protocol = protocol_word(word.substr(0, end));
    if (!protocol) return false;
    found.push_back(*protocol);
    word.remove_prefix(end == std::string_view::npos ? word.size() : end + 1);
  }
  protocols_.insert(protocols_.end(), found.begin(), found.end());
  return !found.empty();
}

/// "1744/tcp", "tcp/1744", "tcp:443", "ssh/tcp": one side names the transport.
base::Result<bool> Parser::take_pair(std::string_view word, char separator) {
  const size_t at = word.find(separator);
  if (at == std::string_view::npos) return false;
  std::string_view left = word.substr(0, at);
  std::string_view right = word.substr(at + 1);
  if (!take_protocols(right)) {
    if (!take_protocols(left)) return false;
    std::swap(left, right);
  }
  if (left.empty()) return true;
  if (auto taken = take_port(left); !taken || *taken) return taken;
  if (auto taken = take_with_address(left); !taken || *taken) return taken;
  if (!is_name(left)) {
    return usage("cannot read " + quoted(left) + " in " + quoted(word) + " as a port; " +
                 std::string(kForms));
  }
  take_name(left);
  return true;
}

/// "10.0.0.5:22", "[::1]:22", ":22", "*:22", "10.0.0.5#53" and tcpdump's "10.0.0.5.22".
base::Result<bool> Parser::take_with_address(std::string_view word) {
  size_t at = word.find_last_of(":#");
  if (at == std::string_view::npos) {
    if (std::ranges::count(word, '.') != 4) return false;
    at = word.rfind('.');
  }
  const std::string_view host = word.substr(0, at);
  const std::string_view port = word.substr(at + 1);
  if (!host.contains('[') && std::ranges::count(host, ':') >= 1 && host != "::" &&
      model::parse_ip_address(word)) {
    return usage(quoted(word) +
                 " is an IPv6 address, or has a port behind one; write [ADDRESS]:PORT");
  }
  const bool no_address = host.empty() || host == "*";
  const auto address = no_address ? std::nullopt : parse_host(host);
  if (!no_address && !address) return false;
  if (port == "*") {
    return usage(quoted(word) + " names no port; " + std::string(kForms));
  }
  if (port.empty() || (!is_number(port) && !model::parse_port_range(port))) {
    if (!is_name(port)) return false;
    query_.address = address;
    take_name(port);
    return true;
  }
  if (query_.ports.empty()) query_.address = address;
  return take_port(port);
}

void Parser::take_name(std::string_view word) { name_words_.emplace_back(word); }

base::Result<void> Parser::take_word(std::string_view word) {
  word = bare(word);
  if (word.empty() || is_filler(word)) return {};
  if (const size_t equals = word.find('='); equals != std::string_view::npos) {
    // A firewall's log: "DPT=1744", "PROTO=TCP".
    static constexpr std::array<std::string_view, 8> kKeys{"dpt",   "spt",  "dport",    "sport",
                                                           "proto", "port", "src_port", "dst_port"};
    const std::string_view key = word.substr(0, equals);
    if (std::ranges::none_of(kKeys, [&](std::string_view known) {
          return base::equals_ignoring_case(known, key);
        })) {
      query_.ignored.emplace_back(word);
      return {};
    }
    word = word.substr(equals + 1);
  }
  if (take_protocols(word)) return {};
  for (const auto take : {&Parser::take_port, &Parser::take_with_address}) {
    auto taken = (this->*take)(word);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return {};
  }
  for (const char separator : {'/', ':'}) {
    auto taken = take_pair(word, separator);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return {};
  }
  if (parse_host(word) && !is_name(word)) {
    return usage(quoted(word) + " is an address without a port; write it as ADDRESS:PORT");
  }
  if (!is_name(word)) {
    query_.ignored.emplace_back(word);
    return {};
  }
  take_name(word);
  return {};
}

base::Result<void> Parser::take_url(std::string_view url) {
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
  query_.address = parse_host(host);
  if (!query_.address && !host.empty()) query_.ignored.emplace_back(host);
  if (has_port && colon + 1 < authority.size()) {
    const std::string_view port = authority.substr(colon + 1);
    auto taken = take_port(port);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return {};
    return usage("the port " + quoted(port) + " of the address " + quoted(url) + " is no number; " +
                 std::string(kForms));
  }
  if (!is_name(scheme)) return usage("cannot read " + quoted(url) + "; " + std::string(kForms));
  take_name(scheme);
  return {};
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

base::Result<PortQuery> Parser::parse() {
  if (query_.asked.empty()) return usage("no port was given; " + std::string(kForms));
  if (query_.asked.size() > kLongestQuery) {
    return usage("a port was expected and " + std::to_string(query_.asked.size()) +
                 " bytes of text were given; " + std::string(kForms));
  }
  const std::string text = plain_punctuation(query_.asked);
  if (text.contains("://")) {
    if (auto taken = take_url(base::trim(text)); !taken) return std::unexpected(taken.error());
  } else {
    std::vector<std::string> words;
    std::string_view rest = text;
    for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
      words.emplace_back(word);
    }
    join_ranges(words);
    for (const std::string& word : words) {
      if (auto taken = take_word(word); !taken) return std::unexpected(taken.error());
    }
  }
  // Two transports named side by side mean both, that is, no restriction.
  if (!protocols_.empty() &&
      std::ranges::all_of(protocols_, [&](auto p) { return p == protocols_.front(); })) {
    query_.protocol = protocols_.front();
  }
  if (!query_.ports.empty()) {
    query_.ignored.insert(query_.ignored.begin(), name_words_.begin(), name_words_.end());
    return std::move(query_);
  }
  for (const std::string& word : name_words_) {
    if (!query_.name.empty()) query_.name += ' ';
    query_.name += base::to_lower(word);
  }
  if (query_.name.empty()) {
    return usage("found no port in " + quoted(query_.asked) + "; " + std::string(kForms));
  }
  return std::move(query_);
}

void add_port(std::vector<model::PortRange>& ports, model::PortRange range) {
  if (std::ranges::find(ports, range) == ports.end()) ports.push_back(range);
}

/// "Dovecot IMAP" begins with "dovecot".
bool begins_with_words(std::string_view software, std::string_view words) {
  return base::equals_ignoring_case(software.substr(0, words.size()), words) &&
         (software.size() == words.size() || software[words.size()] == ' ');
}

}  // namespace

bool PortQuery::covers(uint16_t port) const {
  return std::ranges::any_of(ports, [&](model::PortRange range) { return range.contains(port); });
}

base::Result<PortQuery> parse_port_query(std::string_view text) { return Parser(text).parse(); }

base::Result<PortQuery> find_port(std::string_view text, const Registry& registry,
                                  const KnownUses& known_uses) {
  auto query = parse_port_query(text);
  if (!query || !query->ports.empty()) return query;
  const auto wanted = [&](model::Protocol protocol) {
    return !query->protocol || *query->protocol == protocol;
  };
  bool other_protocol = false;
  for (const model::RegistryEntry& entry : registry.find_service(query->name)) {
    if (wanted(entry.protocol)) {
      add_port(query->ports, entry.ports);
    } else {
      other_protocol = true;
    }
  }
  if (!query->ports.empty()) return query;
  for (const model::KnownUse& use : known_uses.all()) {
    const bool same = base::equals_ignoring_case(use.service, query->name) ||
                      begins_with_words(use.software, query->name);
    if (!same || !std::ranges::any_of(use.protocols, wanted)) continue;
    for (const model::PortRange range : use.ports) add_port(query->ports, range);
  }
  if (!query->ports.empty()) return query;
  if (other_protocol) {
    return usage("the registry lists " + quoted(query->name) + ", but not for " +
                 std::string(model::protocol_name(*query->protocol)));
  }
  std::string message = "no service is called " + quoted(query->name);
  std::vector<std::string_view> names;
  const std::vector<model::RegistryEntry> all = registry.all();
  names.reserve(all.size());
  for (const model::RegistryEntry& entry : all) names.push_back(entry.service);
  const std::string_view near = base::nearest_word(query->name, names);
  if (!near.empty()) message += "; did you mean " + quoted(near) + "?";
  return usage(message + "\n`twinport registry search " + base::escape_for_terminal(query->name) +
               "` looks in descriptions too.");
}

}  // namespace ports
