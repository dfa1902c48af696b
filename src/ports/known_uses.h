// KnownUses: our own table of what software really uses a port (data/known-uses.toml), checked and
// packed at build. Immutable; any thread may read.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "model/process.h"
#include "model/registry_entry.h"

namespace ports {

class KnownUses {
 public:
  static const KnownUses& built_in();
  explicit KnownUses(std::vector<model::KnownUse> uses) : uses_(std::move(uses)) {}

  /// Entries that cover the port, single ports before ranges, smaller ranges before larger ones.
  [[nodiscard]] std::vector<const model::KnownUse*> find(
      uint16_t port, std::optional<model::Protocol> protocol = std::nullopt) const;
  [[nodiscard]] std::span<const model::KnownUse> all() const { return uses_; }

 private:
  std::vector<model::KnownUse> uses_;
};

/// Whether this process is one of the usual holders that the entry names: by Debian package, by
/// systemd unit, or by executable (an absolute path must be equal, a base name is compared with the
/// base name of the process's exe). An entry that names no holder matches nobody, and a program
/// that runs what it is given (python3, java, socat) is never one by its own name or its own
/// package.
bool is_usual_holder(const model::KnownUse& use, const model::Process& process);

/// The software does not exist yet: nobody uses the port for it, and nobody is compared with it.
bool is_planned(const model::KnownUse& use);

}  // namespace ports
