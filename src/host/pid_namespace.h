// Whether every process of this machine can be seen from here, as far as PID namespaces decide it.
#pragma once

namespace host {

/// False inside a container with a PID namespace of its own: processes outside of it have no number
/// here, and may hold sockets that are seen here all the same. True when it cannot be told.
bool is_in_initial_pid_namespace();

inline constexpr const char* kOutsidersUnseen =
    "Processes outside this PID namespace cannot be seen (run on the host itself).";

}  // namespace host
