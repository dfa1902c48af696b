#include "host/published_ports.h"

#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "base/fd.h"
#include "base/file.h"
#include "format/nft_message.h"
#include "ports/nft_walk.h"

namespace host {
namespace {

constexpr size_t kBufferBytes = 64U << 10;
constexpr int kAttempts = 5;
// The kernel answers at once or not at all.
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

/// One NETLINK_NETFILTER socket of the calling thread's network namespace.
class NftSocket {
 public:
  static base::Result<NftSocket> open() {
    base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd.valid()) return base::fail_errno("open a netlink socket to the packet filter", errno);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    return NftSocket(std::move(fd));
  }

  /// Appends what the request lists. False: the rules changed meanwhile, so that this and what was
  /// read before may not fit together.
  base::Result<bool> dump(format::NftRequest request, format::NftRuleset& out) {
    request.sequence = ++sequence_;
    const std::string bytes = format::encode_nft_request(request);
    while (::send(fd_.get(), bytes.data(), bytes.size(), 0) < 0) {
      if (errno != EINTR) return base::fail_errno("ask for the packet filter's rules", errno);
    }
    for (;;) {
      const auto size = receive();
      if (!size) return std::unexpected(size.error());
      const auto progress = format::decode_nft({buffer_.get(), *size}, sequence_, out);
      if (!progress) return std::unexpected(progress.error());
      if (progress->generation != 0) {
        changed_ = changed_ || (generation_ != 0 && generation_ != progress->generation);
        generation_ = progress->generation;
      }
      changed_ = changed_ || progress->interrupted;
      if (!progress->done) continue;
      if (progress->error_number != 0) {
        // What the request names went away between two dumps.
        if (progress->error_number == ENOENT) return false;
        if (progress->error_number == EINVAL) {
          return base::fail(base::ErrorKind::kUnsupported, "this kernel has no nf_tables");
        }
        return base::fail_errno("list the packet filter's rules", progress->error_number);
      }
      return !changed_;
    }
  }

 private:
  explicit NftSocket(base::Fd fd)
      : fd_(std::move(fd)), buffer_(std::make_unique_for_overwrite<std::byte[]>(kBufferBytes)) {}

  base::Result<size_t> receive() {
    for (;;) {
      sockaddr_nl sender{};
      socklen_t sender_size = sizeof sender;
      const ssize_t got = ::recvfrom(fd_.get(), buffer_.get(), kBufferBytes, MSG_TRUNC,
                                     reinterpret_cast<sockaddr*>(&sender), &sender_size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::fail_errno("read the packet filter's rules", errno);
      // Any process may send to a netlink socket; only port 0 is the kernel.
      if (sender.nl_pid != 0) continue;
      if (got == 0 || static_cast<size_t>(got) > kBufferBytes) {
        return base::fail(base::ErrorKind::kIo,
                          "the packet filter's answer has " + std::to_string(got) +
                              " bytes; at most " + std::to_string(kBufferBytes) + " were expected");
      }
      return static_cast<size_t>(got);
    }
  }

  base::Fd fd_;
  std::unique_ptr<std::byte[]> buffer_;
  uint32_t sequence_ = 0;
  uint16_t generation_ = 0;
  bool changed_ = false;
};

using TableKey = std::pair<uint8_t, std::string>;

/// The tables with a chain that can send packets elsewhere. The families that carry IP, no others.
std::set<TableKey> tables_with_nat(const format::NftRuleset& ruleset) {
  std::set<TableKey> out;
  for (const auto& chain : ruleset.chains) {
    const bool is_ip = chain.family == NFPROTO_IPV4 || chain.family == NFPROTO_IPV6 ||
                       chain.family == NFPROTO_INET;
    if (is_ip && chain.type == "nat") out.emplace(chain.family, chain.table);
  }
  return out;
}

std::set<std::tuple<uint8_t, std::string, std::string>> sets_in_use(
    const format::NftRuleset& ruleset) {
  std::set<std::tuple<uint8_t, std::string, std::string>> out;
  for (const auto& rule : ruleset.rules) {
    for (const auto& expression : rule.expressions) {
      if (const auto* lookup = std::get_if<format::NftLookup>(&expression)) {
        out.emplace(rule.family, rule.table, lookup->set);
      }
    }
  }
  return out;
}

// One look at all that takes part in NAT. False as NftSocket::dump().
base::Result<bool> read_ruleset(format::NftRuleset& out) {
  using format::NftObjects;
  auto socket = NftSocket::open();
  if (!socket) return std::unexpected(socket.error());
  auto consistent = socket->dump({.objects = NftObjects::kChains}, out);
  if (!consistent || !*consistent) return consistent;
  const auto tables = tables_with_nat(out);
  if (tables.empty()) return true;
  consistent = socket->dump({.objects = NftObjects::kTables}, out);
  for (const auto& [family, table] : tables) {
    if (!consistent || !*consistent) return consistent;
    consistent =
        socket->dump({.objects = NftObjects::kRules, .family = family, .table = table}, out);
    if (!consistent || !*consistent) return consistent;
    consistent =
        socket->dump({.objects = NftObjects::kSets, .family = family, .table = table}, out);
  }
  for (const auto& [family, table, set] : sets_in_use(out)) {
    if (!consistent || !*consistent) return consistent;
    consistent = socket->dump(
        {.objects = NftObjects::kElements, .family = family, .table = table, .set = set}, out);
  }
  return consistent;
}

/// The older packet filter keeps its rules where nf_tables does not see them.
void note_legacy_rules(std::vector<std::string>& blind_spots) {
  for (const auto& [path, command] :
       {std::pair{"/proc/thread-self/net/ip_tables_names", "iptables-legacy"},
        std::pair{"/proc/thread-self/net/ip6_tables_names", "ip6tables-legacy"}}) {
    const auto names = base::read_file(path);
    if (!names || ("\n" + *names).find("\nnat\n") == std::string::npos) continue;
    blind_spots.push_back("NAT rules of " + std::string(command) +
                          " are loaded and are not read, so ports sent elsewhere may be missing "
                          "here (" +
                          command + " -t nat -S shows the rules).");
  }
}

}  // namespace

base::Result<model::PublishedPorts> read_published_ports(uint32_t netns) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    format::NftRuleset ruleset;
    const auto consistent = read_ruleset(ruleset);
    if (consistent && !*consistent) continue;
    if (!consistent && consistent.error().kind == base::ErrorKind::kPermission) {
      return base::fail(base::ErrorKind::kPermission,
                        consistent.error().message +
                            "; only root (CAP_NET_ADMIN) may read the packet filter's rules");
    }
    if (!consistent && consistent.error().kind != base::ErrorKind::kUnsupported) {
      return std::unexpected(consistent.error());
    }
    if (!consistent) ruleset = {};
    auto out = ports::find_published_ports(ruleset, netns);
    note_legacy_rules(out.blind_spots);
    return out;
  }
  return base::fail(base::ErrorKind::kIo, "the packet filter's rules changed " +
                                              std::to_string(kAttempts) +
                                              " times while they were read; try again");
}

}  // namespace host
