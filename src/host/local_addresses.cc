#include "host/local_addresses.h"

#include <netinet/in.h>

#include <memory>

#include <ifaddrs.h>

namespace host {

std::vector<model::IpAddress> local_addresses() {
  std::vector<model::IpAddress> out;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return out;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      out.push_back(model::IpAddress::v4(address->sin_addr.s_addr));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      out.push_back(model::IpAddress::v6(address->sin6_addr.s6_addr));
    }
  }
  return out;
}

}  // namespace host
