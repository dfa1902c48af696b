// Decoder of /proc/PID/cgroup (cgroups(7)) and of the names that managers give to their cgroups:
// systemd (units, user managers), Docker, Podman, containerd, CRI-O, Kubernetes, LXC, nspawn. Pure;
// any thread. It tells what the path says and nothing else: a path that fits no known layout leaves
// the fields empty.
//
//   file = *(hierarchy ":" [controller *("," controller)] ":" path "\n")
//          hierarchy 0 is cgroup v2, controller list "name=systemd" is systemd's own on v1
//   path = "/" *(component "/")
//
// A program may write into the cgroup subtree that was handed to it, and so make any names there.
// Therefore names are taken from the outside in: the first unit and the first container win.
#pragma once

#include <string_view>

#include "model/process.h"

namespace format {

/// The text of /proc/PID/cgroup. systemd's v1 hierarchy is asked first, then v2, then, for the
/// container alone, every other v1 hierarchy.
model::Placement parse_cgroup(std::string_view text);

/// One path, "/system.slice/ssh.service".
model::Placement parse_cgroup_path(std::string_view path);

}  // namespace format
