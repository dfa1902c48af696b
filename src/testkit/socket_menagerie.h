// SocketMenagerie: one socket of every kind and state that can be brought about on loopback without
// waiting, in the network namespace of the thread that makes it. Small, where bench/socket_zoo is
// large; made for comparing what observers say of each socket, field by field.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"

namespace testkit {

// The local ports, by what listens or is bound there.
inline constexpr uint16_t kPlainListener = 2001;     ///< TCP 127.0.0.1, one unaccepted connection
inline constexpr uint16_t kV6OnlyListener = 2002;    ///< TCP [::1], IPV6_V6ONLY
inline constexpr uint16_t kDualListener = 2003;      ///< TCP [::], takes IPv4 too
inline constexpr uint16_t kDeviceListener = 2004;    ///< TCP 127.0.0.1, bound to lo
inline constexpr uint16_t kDeferredListener = 2005;  ///< TCP, one connection in SYN_RECV
inline constexpr uint16_t kFullListener = 2006;      ///< TCP, its queue full: a client in SYN_SENT
inline constexpr uint16_t kBoundOnly = 2007;         ///< TCP, bound and nothing else
inline constexpr uint16_t kMptcpListener = 2008;     ///< TCP, where the kernel has MPTCP
inline constexpr uint16_t kOthersListener = 2009;    ///< TCP, made under uid kOtherUid
inline constexpr uint16_t kUdpWithData = 2010;       ///< UDP 127.0.0.1, one datagram unread
inline constexpr uint16_t kUdpDual = 2011;           ///< UDP [::]
inline constexpr uint16_t kUdpV6Only = 2012;         ///< UDP [::1], IPV6_V6ONLY
inline constexpr uint16_t kUdpLite = 2013;           ///< UDP-Lite 127.0.0.1
inline constexpr uint16_t kGroupListener = 2014;     ///< TCP, two sockets by SO_REUSEPORT
inline constexpr uint32_t kOtherUid = 1234;

class SocketMenagerie {
 public:
  SocketMenagerie();

  /// "" when everything stands, else what could not be made.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool has_mptcp() const { return has_mptcp_; }
  [[nodiscard]] bool has_udplite() const { return has_udplite_; }
  [[nodiscard]] bool has_raw() const { return has_raw_; }

 private:
  void make_listeners();
  void make_connections();
  void make_datagram_sockets();
  void make_raw_sockets();
  void fail(const std::string& what);
  int keep(base::Fd fd, const std::string& what);
  int connect_to(uint16_t port, const std::string& what);
  int accept_from(int listener);

  std::vector<base::Fd> fds_;
  std::string failure_;
  int plain_ = -1;
  int dual_ = -1;
  bool has_mptcp_ = false;
  bool has_udplite_ = false;
  bool has_raw_ = false;
};

}  // namespace testkit
