// Process: who holds a port, and why that program runs. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace model {

/// One step of "why it runs": the parent, its parent, ... up to pid 1.
struct Ancestor {
  int32_t pid = 0;
  std::string command;
};

/// What the cgroup path tells of the manager that started a process.
struct Placement {
  std::string cgroup;             ///< the path itself, of the v2 hierarchy or the systemd v1 one
  std::string unit;               ///< "ssh.service", "session-3.scope"; "" = not under systemd
  std::string user_unit;          ///< a unit of a user's own manager, inside user@1000.service
  std::string container;          ///< id, shortened to 12 characters as the runtimes do, or a name;
                                  ///< of containers in a container, the outermost
  std::string container_unit;     ///< unit of a systemd inside the container
  std::string container_runtime;  ///< "docker", "podman", "containerd", "cri-o", "lxc", "nspawn"
  std::string pod;                ///< Kubernetes pod uid
};

enum class PackageCheck : uint8_t { kNotAsked, kIntact, kModified, kNoChecksum, kUnreadable };

enum class ScriptKind : uint8_t {
  kNone,    ///< none was recognised
  kFile,    ///< `name` is a path
  kModule,  ///< `name` is a module, or the main class of a Java program
  kInline,  ///< the code itself stands on the command line; it is not kept, for it may hold secrets
};
std::string_view script_kind_name(ScriptKind kind);  ///< JSON word: "file", "module", "inline"

/// What an interpreter runs, as its command line says. A process may write anything there.
struct Script {
  ScriptKind kind = ScriptKind::kNone;
  std::string name;
  bool operator==(const Script&) const = default;
};

struct Process {
  int32_t pid = 0;
  int32_t parent_pid = 0;
  uint64_t start_time_ns = 0;     ///< since boot, to the clock tick
  int64_t start_time_unix_s = 0;  ///< wall clock, 0 = unknown
  uint32_t uid = 0;
  std::string user;            ///< name, or the number as text when it has none
  std::string command;         ///< comm, raw bytes from outside: escape before printing
  std::string exe;             ///< target of /proc/PID/exe without " (deleted)"; "" = unreadable
  bool exe_deleted = false;    ///< the running file is gone or replaced (an upgrade, usually)
  bool exe_replaced = false;   ///< of a deleted one: another file stands at its path now
  bool exe_elsewhere = false;  ///< `exe` names a file of another file tree (container, chroot):
                               ///< the file of that name here, and its package, are not this one
  Script script;               ///< of an interpreter; a file is there, by its absolute path
  bool is_kernel_thread = false;
  bool details_hidden = false;  ///< exe and others could not be read; rights are missing
  bool gone = false;            ///< it ended (or its pid was used again) before we could read it;
                                ///< `command` is then what the collector saw, if it saw one
  Placement placement;
  std::vector<Ancestor> ancestors;
  std::string package;             ///< Debian package that ships exe, "" = none or not looked up
  bool package_looked_up = false;  ///< there are package lists, and `exe` was looked for in them
  std::string package_version;
  PackageCheck package_check = PackageCheck::kNotAsked;
};

/// One descriptor of one process, as the merged inventory shows it.
struct Owner {
  uint32_t process = 0;  ///< index into Inventory::processes
  int32_t tid = 0;
  int32_t fd = -1;
  bool operator==(const Owner&) const = default;
};

}  // namespace model
