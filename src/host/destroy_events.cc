#include "host/destroy_events.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "format/sock_diag_message.h"
#include "host/net_namespaces.h"

namespace host {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr int kReceiveBytes = 8 << 20;

uint64_t boot_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

// One protocol's announcements in one network namespace. The message itself does not name the
// protocol, so each has a socket of its own.
class Announcements {
 public:
  static base::Result<Announcements> join(model::Protocol protocol, uint32_t netns) {
    base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    if (!fd.valid()) return base::fail_errno("open a sock_diag netlink socket", errno);
    // Forced past the usual limit where rights allow, else as much as there is.
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(int)) != 0) {
      ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(int));
    }
    // What finds no room is counted by the kernel, which need not stop the rest.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
    const auto groups =
        protocol == model::Protocol::kTcp
            ? std::array<int, 2>{SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY}
            : std::array<int, 2>{SKNLGRP_INET_UDP_DESTROY, SKNLGRP_INET6_UDP_DESTROY};
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    for (const int group : groups) address.nl_groups |= 1U << static_cast<unsigned>(group - 1);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return base::fail_errno("join the announcements of destroyed sockets", errno);
    }
    return Announcements(std::move(fd), protocol, netns);
  }

  /// True: there is more than `limit`.
  base::Result<bool> drain(std::vector<model::Event>& into, size_t limit);
  [[nodiscard]] uint64_t dropped() const {
    std::array<uint32_t, SK_MEMINFO_VARS> values{};
    socklen_t size = sizeof values;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, values.data(), &size) != 0) return 0;
    return values[SK_MEMINFO_DROPS];
  }

 private:
  Announcements(base::Fd fd, model::Protocol protocol, uint32_t netns)
      : fd_(std::move(fd)), protocol_(protocol), netns_(netns) {}

  base::Fd fd_;
  model::Protocol protocol_;
  uint32_t netns_;
  std::vector<model::Socket> sockets_;
  std::vector<model::TcpDetail> details_;
};

model::SocketEvent closing_of(const model::Socket& socket,
                              const std::vector<model::TcpDetail>& details) {
  model::SocketEvent event;
  event.kind = model::SocketEventKind::kClosed;
  event.time_ns = boot_ns();
  event.cookie = socket.cookie;
  event.protocol = socket.protocol;
  event.netns = socket.netns;
  event.interface = socket.interface;
  event.local = socket.local;
  event.remote = socket.remote;
  if (socket.detail >= 0) {
    const auto& detail = details[static_cast<size_t>(socket.detail)];
    event.totals.bytes_sent = detail.bytes_sent;
    event.totals.bytes_received = detail.bytes_received;
    event.totals.rtt_us = detail.rtt_us;
    event.totals.retransmits = detail.retransmits_total;
  }
  return event;
}

base::Result<bool> Announcements::drain(std::vector<model::Event>& into, size_t limit) {
  std::array<std::byte, 8192> buffer;
  for (size_t taken = 0; taken < limit; ++taken) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t got = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (got < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (got < 0 && errno == EAGAIN) return false;
    if (got < 0) return base::fail_errno("hear of destroyed sockets", errno);
    // Any process may send to a netlink socket; only port 0 is the kernel.
    if (sender.nl_pid != 0 || static_cast<size_t>(got) > buffer.size()) continue;
    sockets_.clear();
    details_.clear();
    const format::SockDiagContext context{
        .protocol = protocol_, .netns = netns_, .sequence = 0, .tcp_detail = true};
    const auto decoded = format::decode_sock_diag(std::span(buffer).first(static_cast<size_t>(got)),
                                                  context, sockets_, details_);
    for (const auto& socket : sockets_) {
      if (socket.cookie != 0) into.emplace_back(closing_of(socket, details_));
    }
    if (!decoded) return std::unexpected(decoded.error());
  }
  return true;
}

class DestroyEvents final : public ports::EventSource {
 public:
  DestroyEvents(std::string why, size_t namespaces_max, uint64_t sought_every_ms)
      : why_(std::move(why)),
        namespaces_max_(namespaces_max),
        sought_every_ns_(sought_every_ms * 1'000'000) {}

  base::Result<void> begin() {
    const auto own = own_net_namespace();
    if (!own) return std::unexpected(own.error());
    auto joined = join(own->inode);
    if (!joined) return joined;
    own_ = own->inode;
    refresh();
    return {};
  }

  base::Result<bool> drain(std::vector<model::Event>& into, size_t limit) override {
    if (boot_ns() - refreshed_ns_ >= sought_every_ns_) refresh();
    const size_t full = into.size() + limit;
    std::optional<base::Error> broken;
    // Each time from the one after the last that was heard: nobody talks the others down.
    auto at = sources_.upper_bound(heard_last_);
    for (size_t left = sources_.size(); left > 0 && into.size() < full; --left, ++at) {
      if (at == sources_.end()) at = sources_.begin();
      heard_last_ = at->first;
      const auto more = at->second.drain(into, full - into.size());
      // The others have something to say all the same.
      if (!more && !broken) broken = more.error();
    }
    if (broken) return std::unexpected(std::move(*broken));
    return into.size() >= full;
  }

  model::LossCounters losses() override {
    uint64_t dropped = dropped_before_;
    for (const auto& [source, announcements] : sources_) dropped += announcements.dropped();
    return {.ring_full = dropped, .recursion_misses = 0, .storage_full = 0};
  }

  [[nodiscard]] model::CollectorReport report() const override {
    model::CollectorReport report;
    report.kind = model::CollectorKind::kSockDiag;
    report.why =
        "The kernel tells of closings only, and all sockets are looked at every second "
        "(" +
        why_ + ").";
    report.blind_spots = {
        "A socket that opens and closes between two looks is recorded without its owner, and with "
        "the time of its closing alone.",
        "Failed connects and binds, refused callers, and the programs behind what ended between "
        "two looks are not seen.",
        "A network namespace is found by its name or a process that lives in it, within a second: "
        "what ends there before that, and all of one that has neither, is not seen."};
    add_unheard(report, unheard_.barred, "it takes CAP_SYS_ADMIN to listen there.");
    add_unheard(report, unheard_.too_many,
                "at most " + std::to_string(namespaces_max_) + " are listened to.");
    add_unheard(report, unheard_.failed, "trying to: " + unheard_.why_failed + ".");
    return report;
  }

 private:
  using Source = std::pair<uint32_t, model::Protocol>;

  /// Other namespaces that are not listened to, by why.
  struct Unheard {
    size_t barred = 0;
    size_t too_many = 0;
    size_t failed = 0;
    std::string why_failed;  // the first of them
  };

  static void add_unheard(model::CollectorReport& report, size_t count, const std::string& why) {
    if (count == 0) return;
    report.complete = false;
    report.blind_spots.push_back("In " + std::to_string(count) + " other network namespace" +
                                 (count == 1 ? "" : "s") + " not even closings are told; " + why);
  }

  base::Result<void> join(uint32_t netns) {
    std::vector<Announcements> all;
    for (const auto protocol : {model::Protocol::kTcp, model::Protocol::kUdp}) {
      auto joined = Announcements::join(protocol, netns);
      if (!joined) return std::unexpected(joined.error());
      all.push_back(std::move(*joined));
    }
    sources_.emplace(Source(netns, model::Protocol::kTcp), std::move(all[0]));
    sources_.emplace(Source(netns, model::Protocol::kUdp), std::move(all[1]));
    return {};
  }

  base::Result<void> join_other(const NamespaceRef& ref) {
    const auto fd = open_net_namespace(ref);
    if (!fd) return std::unexpected(fd.error());
    return run_in_net_namespace(fd->get(), [&] { return join(ref.inode); });
  }

  void refresh() {
    refreshed_ns_ = boot_ns();
    const auto found = find_net_namespaces();
    if (!found) return;
    leave_ended(*found);
    unheard_ = {};
    for (const auto& ref : found->namespaces) {
      if (sources_.contains({ref.inode, model::Protocol::kTcp})) continue;
      if (sources_.size() >= 2 * namespaces_max_) {
        ++unheard_.too_many;
        continue;
      }
      const auto joined = join_other(ref);
      // One that ended meanwhile has nothing to tell.
      if (joined || joined.error().kind == base::ErrorKind::kNotFound) continue;
      if (joined.error().kind == base::ErrorKind::kPermission) {
        ++unheard_.barred;
      } else if (unheard_.failed++ == 0) {
        unheard_.why_failed = joined.error().message;
      }
    }
  }

  // Not at once: the last that closed there is still to be heard.
  void leave_ended(const NamespaceList& found) {
    std::set<uint32_t> ended;
    std::erase_if(sources_, [&](const auto& item) {
      const uint32_t netns = item.first.first;
      const bool lives =
          netns == own_ || std::ranges::find(found.namespaces, netns, &NamespaceRef::inode) !=
                               found.namespaces.end();
      if (lives) return false;
      ended.insert(netns);
      if (!ended_.contains(netns)) return false;
      dropped_before_ += item.second.dropped();
      return true;
    });
    ended_ = std::move(ended);
  }

  std::string why_;
  size_t namespaces_max_;
  uint64_t sought_every_ns_;
  std::map<Source, Announcements> sources_;
  std::set<uint32_t> ended_;  // namespaces that were not found any more when they were last sought
  Source heard_last_;
  uint32_t own_ = 0;
  uint64_t refreshed_ns_ = 0;
  uint64_t dropped_before_ = 0;
  Unheard unheard_;
};

class NoEvents final : public ports::EventSource {
 public:
  explicit NoEvents(std::string why) : why_(std::move(why)) {}
  base::Result<bool> drain(std::vector<model::Event>&, size_t) override { return false; }
  model::LossCounters losses() override { return {}; }
  [[nodiscard]] model::CollectorReport report() const override {
    model::CollectorReport report;
    report.kind = model::CollectorKind::kProc;
    report.why = "All sockets are looked at every second (" + why_ + ").";
    report.blind_spots = {
        "What opens and closes between two looks is not seen at all.",
        "Failed connects and binds and refused callers are not seen; opening and closing times are "
        "those of the looks."};
    return report;
  }

 private:
  std::string why_;
};

}  // namespace

base::Result<std::unique_ptr<ports::EventSource>> make_destroy_events(std::string why,
                                                                      size_t namespaces_max,
                                                                      uint64_t sought_every_ms) {
  auto events = std::make_unique<DestroyEvents>(std::move(why), namespaces_max, sought_every_ms);
  if (auto begun = events->begin(); !begun) return std::unexpected(begun.error());
  return events;
}

std::unique_ptr<ports::EventSource> make_no_events(std::string why) {
  return std::make_unique<NoEvents>(std::move(why));
}

}  // namespace host
