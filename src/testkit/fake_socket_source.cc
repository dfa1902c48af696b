#include "testkit/fake_socket_source.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/text.h"

namespace testkit {
namespace {

constexpr uint32_t kOwnNamespace = 4026531840;
constexpr uint64_t kFirstInode = 1001;

}  // namespace

model::Endpoint endpoint(std::string_view text) {
  if (text.empty()) return {};
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string_view::npos
                        ? std::nullopt
                        : base::parse_number<uint16_t>(text.substr(colon + 1));
  const std::string_view host = text.substr(0, colon);
  const auto address = host == "*" ? model::IpAddress{} : model::parse_ip_address(host);
  if (!port || !address) {
    std::fprintf(stderr, "testkit: not an endpoint: %s\n", std::string(text).c_str());
    std::abort();
  }
  return {*address, *port};
}

FakeSocketSource::FakeSocketSource() {
  model::NetNamespace own;
  own.inode = kOwnNamespace;
  own.own = true;
  own.tables_read = true;
  own.policy.known = true;
  raw.namespaces.push_back(own);
  raw.report.kind = model::CollectorKind::kSockDiag;
  raw.report.why = "it is what this test has";
}

model::Socket& FakeSocketSource::add(model::Protocol protocol, std::string_view local,
                                     model::SocketState state, std::string_view remote) {
  model::Socket socket;
  socket.inode = socket.cookie = kFirstInode + raw.listed.size();
  socket.netns = kOwnNamespace;
  socket.local = endpoint(local);
  socket.remote = endpoint(remote);
  if (remote.empty()) socket.remote.address.family = socket.local.address.family;
  socket.protocol = protocol;
  socket.state = state;
  raw.listed.push_back(socket);
  return raw.listed.back();
}

model::Socket& FakeSocketSource::listen(model::Protocol protocol, std::string_view local) {
  return add(
      protocol, local,
      protocol == model::Protocol::kTcp ? model::SocketState::kListen : model::SocketState::kClose);
}

void FakeSocketSource::hold(int32_t pid, int32_t fd) {
  const model::Socket& socket = raw.listed.back();
  model::Holder holder;
  holder.inode = socket.inode;
  holder.cookie = socket.cookie;
  holder.pid = holder.tid = pid;
  holder.fd = fd;
  raw.holders.push_back(holder);
}

base::Result<ports::RawInventory> FakeSocketSource::read(const ports::InventoryRequest& request) {
  asked = request;
  if (error) return std::unexpected(*error);
  return raw;
}

base::Result<std::vector<ports::HoldingEvidence>> FakeSocketSource::look_again(
    const std::vector<model::Socket>&, std::vector<model::Holder>& late) {
  late = late_holders;
  return evidence;
}

}  // namespace testkit
