// FakeSocketSource: a SocketSource held in memory, for tests of merge and of commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ports/socket_source.h"

namespace testkit {

/// "10.0.0.5:22", "[::1]:22", or "*:22" for the IPv4 wildcard; aborts on anything else.
model::Endpoint endpoint(std::string_view text);

class FakeSocketSource final : public ports::SocketSource {
 public:
  /// Starts with one namespace, number 4026531840, our own, and a complete view by sock_diag.
  FakeSocketSource();

  /// Adds a listed socket in our own namespace with the next free inode and cookie, counted from
  /// 1001; the reference is good until the next call.
  model::Socket& add(model::Protocol protocol, std::string_view local, model::SocketState state,
                     std::string_view remote = "");
  /// A listening TCP socket or a bound UDP one.
  model::Socket& listen(model::Protocol protocol, std::string_view local);
  /// The process has a descriptor of the socket that was added last.
  void hold(int32_t pid, int32_t fd);

  base::Result<ports::RawInventory> read(const ports::InventoryRequest& request) override;
  base::Result<std::vector<ports::HoldingEvidence>> look_again(
      const std::vector<model::Socket>& ownerless,
      std::vector<model::Holder>& late_holders) override;

  ports::RawInventory raw;                       ///< what read() answers
  std::vector<ports::HoldingEvidence> evidence;  ///< what look_again() answers
  std::vector<model::Holder> late_holders;       ///< likewise
  std::optional<base::Error> error;              ///< what read() fails with
  std::optional<ports::InventoryRequest> asked;  ///< by the last read()
};

}  // namespace testkit
