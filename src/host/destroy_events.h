// What can be told of openings and closings without BPF: ports::EventSource over the multicast
// groups in which sock_diag announces each TCP and UDP socket that the kernel destroys (Linux 4.2),
// and one that tells nothing, where even those cannot be joined. Both need a look at all sockets
// every second beside them; what lives between two looks has no owner, or is not seen at all, and
// the report says so. Any user may join the groups of the own network namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "ports/event_source.h"

namespace host {

/// Two descriptors each; a machine with more namespaces is seen there by looks alone.
inline constexpr size_t kNamespacesHeard = 200;

/// Namespaces come and go with containers; a new one is listened to after this long at most. A
/// listener keeps its namespace alive, so one that nobody lives in any more is let go, once it has
/// been heard to the end.
inline constexpr uint64_t kNamespacesSoughtMs = 1000;

/// `why` is why nothing better is used. Joins the groups in our own network namespace at once (its
/// failure is the error), and in others as they come and go, as far as rights and
/// `namespaces_max` allow.
base::Result<std::unique_ptr<ports::EventSource>> make_destroy_events(
    std::string why, size_t namespaces_max = kNamespacesHeard,
    uint64_t sought_every_ms = kNamespacesSoughtMs);

/// Never has an event.
std::unique_ptr<ports::EventSource> make_no_events(std::string why);

}  // namespace host
