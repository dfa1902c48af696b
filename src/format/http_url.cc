#include "format/http_url.h"

#include <algorithm>

#include "base/text.h"

namespace format {
namespace {

constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

bool is_ipv6(std::string_view host) {
  return !host.empty() && host.size() <= 45 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
           c == '.';
  });
}

}  // namespace

std::string HttpUrl::authority() const {
  std::string out = host.contains(':') ? "[" + host + "]" : host;
  if (port != (secure ? kHttpsPort : kHttpPort)) out += ":" + std::to_string(port);
  return out;
}

base::Result<HttpUrl> parse_http_url(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return base::fail(
        base::ErrorKind::kUsage,
        "cannot take the address \"" + base::escape_for_terminal(text) + "\": " + std::string(why));
  };
  HttpUrl out;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    out.secure = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refuse("it begins neither with https:// nor with http://");
  }
  if (!std::ranges::all_of(rest, [](char c) { return c > ' ' && c < 0x7F; }) ||
      rest.contains('#')) {
    return refuse("it has a blank, a fragment or a character that is not plain ASCII");
  }
  const size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, slash);
  out.target = rest.substr(slash);
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  if (authority.contains('@')) return refuse("a user's name in it would be sent in clear");
  const bool bracketed = authority.starts_with('[');
  const size_t host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos) return refuse("a bracket is not closed");
  out.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  if (!(bracketed ? is_ipv6(out.host) : is_host(out.host))) return refuse("it names no host");
  out.port = out.secure ? kHttpsPort : kHttpPort;
  authority.remove_prefix(bracketed ? host_end + 1 : std::min(host_end, authority.size()));
  if (authority.empty()) return out;
  const auto port = base::parse_number<uint16_t>(authority.substr(1));
  if (!authority.starts_with(':') || !port || *port == 0) {
    return refuse("its port is no number from 1 to 65535");
  }
  out.port = *port;
  return out;
}

}  // namespace format
