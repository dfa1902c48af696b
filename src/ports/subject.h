// Subject: what of a socket its judgement depends on, whether the socket is open now (an inventory)
// or was seen by the recorder. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/address.h"
#include "model/inventory.h"
#include "model/port.h"
#include "model/recorded_socket.h"

namespace ports {

enum class SubjectRole : uint8_t {
  kOpen,       ///< answers others: TCP in LISTEN; UDP without a peer on a port of its own choice
  kUdpMaybe,   ///< UDP without a peer on a port that the kernel hands out: client or server
  kBoundOnly,  ///< TCP that is bound and answers nobody: it keeps others off the port
  kOutgoing,   ///< a connection that this host made, or UDP with a peer
  kServed,     ///< a connection that came in through a listener
  kNotInUse,   ///< nobody's any more or yet: closed, being set up; `unseen` says which
};

/// A process that holds the socket, as far as it is known. Nothing = could not be read.
struct SubjectHolder {
  std::string words;  ///< "sshd (pid 812)"
  int32_t pid = 0;
  bool kernel = false;
  std::optional<std::string> exe;
  bool exe_elsewhere = false;  ///< of another file tree than ours
  /// It ended before its file could be read: `exe` is only what it was called as, which may be a
  /// link or a script.
  bool exe_as_called = false;
  bool placed = true;              ///< false: units and container are not known
  std::vector<std::string> units;  ///< of the system's manager and of the user's
  std::string container;
  std::optional<std::string> package;  ///< "" = none; nothing = not looked up
  std::optional<uint32_t> uid;
  std::string user;
};

struct Subject {
  SubjectRole role = SubjectRole::kOpen;
  model::Protocol protocol = model::Protocol::kTcp;
  model::Endpoint local;
  model::Endpoint remote;
  uint32_t interface = 0;
  bool ephemeral = false;            ///< its port is one that the kernel hands out by itself
  bool takes_both_families = false;  ///< on [::], and not known to take IPv6 alone
  bool own_namespace = true;
  std::string netns;  ///< its name, "" = none
  std::vector<SubjectHolder> holders;
  std::string unseen;  ///< why not every holder could be seen; "" = all are in `holders`
};

/// Of an open socket; listeners of the inventory tell which connections came in.
class InventorySubjects {
 public:
  /// `inventory` must outlive this.
  /// With `packages_known` false an empty package means "not looked up".
  explicit InventorySubjects(const model::Inventory& inventory, bool packages_known = true);
  [[nodiscard]] Subject of(const model::Socket& socket) const;

 private:
  static uint64_t key(const model::Socket& socket);

  const model::Inventory& inventory_;
  bool packages_known_;
  std::vector<uint64_t> answering_;  // namespace, protocol and port of who answers, sorted
};

/// The network namespaces that a look found, for rows that name one by its number alone.
class NamespaceNumbers {
 public:
  explicit NamespaceNumbers(std::vector<model::NetNamespace> namespaces);
  /// One that the look did not find is somebody else's, without a name: a container's, perhaps,
  /// that is gone. Where our own could not be told, all are taken for ours.
  [[nodiscard]] const model::NetNamespace* of(uint32_t number) const;
  [[nodiscard]] const std::vector<model::NetNamespace>& all() const { return namespaces_; }

 private:
  std::vector<model::NetNamespace> namespaces_;
  model::NetNamespace foreign_;
};

/// Of a recorded socket. `holders` are its owner and who else held it, those that are known; where
/// `netns` is null its namespace is not known, and taken for our own.
Subject subject_of(const model::RecordedSocket& socket,
                   std::span<const model::RecordedProcess* const> holders,
                   const model::NetNamespace* netns);

/// A connection that failed, as the attempt to talk that it was: it is judged like one that did
/// not.
model::RecordedSocket as_talk(model::RecordedSocket failed);

SubjectHolder holder_of(const model::Process& process);
SubjectHolder holder_of(const model::RecordedProcess& process);

}  // namespace ports
