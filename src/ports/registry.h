// Registry: look-ups in IANA's port registry, as built into the binary or as imported by the user.
// Immutable after opening; any thread may read. Returned views live as long as the Registry.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/registry_entry.h"

namespace ports {

class Registry {
 public:
  /// The table built into the binary. Costs nothing to open: it is read in place.
  static Registry built_in();
  /// A table made by `twinport registry import`; refused with kCorrupt when it is not one.
  static base::Result<Registry> open(const std::string& path);
  /// The imported table of this state directory when there is one and it is sound, else the
  /// built-in one; `warning` then says why an existing import was not used.
  static Registry open_preferred(const std::string& state_directory, std::string* warning);

  Registry(Registry&&) noexcept;
  Registry& operator=(Registry&&) noexcept;
  ~Registry();

  /// Rows that cover the port, most specific range first; all transports unless one is named.
  [[nodiscard]] std::vector<model::RegistryEntry> find(
      uint16_t port, std::optional<model::Protocol> protocol = std::nullopt) const;
  /// Rows of exactly this service name, case ignored.
  [[nodiscard]] std::vector<model::RegistryEntry> find_service(std::string_view service) const;
  /// Rows whose service, description or assignee contains the words, case ignored.
  [[nodiscard]] std::vector<model::RegistryEntry> search(std::string_view words) const;
  /// Every row, in order of first port, then protocol.
  [[nodiscard]] std::vector<model::RegistryEntry> all() const;
  [[nodiscard]] size_t size() const;
  /// "built in: IANA registry of 2026-...", or "imported from FILE on DATE".
  [[nodiscard]] std::string origin() const;

 private:
  struct Table;
  explicit Registry(std::unique_ptr<Table> table);
  std::unique_ptr<Table> table_;
};

}  // namespace ports
