#include "ports/registry.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "format/registry_table.h"
#include "ports/registry_import.h"

// src/ports/registry_blob.S
extern "C" {
extern const char twinport_registry_table[];
extern const char twinport_registry_table_end[];
}

namespace ports {

using model::RegistryEntry;

struct Registry::Table {
  std::unique_ptr<const std::string> owned;  ///< an import's bytes; null for the built-in table
  format::RegistryTable view;
};

Registry::Registry(std::unique_ptr<Table> table) : table_(std::move(table)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;
Registry::~Registry() = default;

Registry Registry::built_in() {
  const auto view = format::RegistryTable::open_trusted(
      {static_cast<const char*>(twinport_registry_table), twinport_registry_table_end});
  // The build wrote these bytes and checked them: anything else is a broken program.
  if (!view) std::abort();
  return Registry(std::make_unique<Table>(Table{nullptr, *view}));
}

base::Result<Registry> Registry::open(const std::string& path) {
  auto bytes = base::read_file(path.c_str());
  if (!bytes) return std::unexpected(bytes.error());
  auto owned = std::make_unique<const std::string>(std::move(*bytes));
  const auto view = format::RegistryTable::open(*owned);
  if (!view) return base::fail(view.error().kind, path + ": " + view.error().message);
  return Registry(std::make_unique<Table>(Table{std::move(owned), *view}));
}

Registry Registry::open_preferred(const std::string& state_directory, std::string* warning) {
  auto imported = open(state_directory + '/' + std::string(kRegistryTableName));
  if (imported) return std::move(*imported);
  // Where the directory may not even be looked into, as root's home under `su`, nobody knows of an
  // import, so there is none to miss.
  std::error_code unknown;
  const bool seen =
      std::filesystem::exists(state_directory + '/' + std::string(kRegistryTableName), unknown);
  if (seen && warning != nullptr) {
    *warning = "the imported port registry is not used: " + imported.error().message +
               "; import it again or remove it";
  }
  return built_in();
}

std::vector<RegistryEntry> Registry::find(uint16_t port,
                                          std::optional<model::Protocol> protocol) const {
  const format::RegistryTable& view = table_->view;
  std::vector<RegistryEntry> found;
  const auto wanted = [&](uint32_t number) {
    return !protocol || view.protocol(number) == *protocol;
  };
  for (uint32_t number = view.first_single_at(port);
       number < view.single_count() && view.ports(number).first == port; ++number) {
    if (wanted(number)) found.push_back(view.row(number));
  }
  const auto singles = static_cast<std::ptrdiff_t>(found.size());
  // Ranges are few, and sorted by their first port: one pass costs a microsecond or two.
  for (uint32_t number = view.single_count(); number < view.size(); ++number) {
    const model::PortRange range = view.ports(number);
    if (range.first > port) break;
    if (range.contains(port) && wanted(number)) found.push_back(view.row(number));
  }
  std::sort(found.begin() + singles, found.end(), [](const auto& left, const auto& right) {
    return std::tuple(left.ports.size(), left.protocol) <
           std::tuple(right.ports.size(), right.protocol);
  });
  return found;
}

std::vector<RegistryEntry> Registry::find_service(std::string_view service) const {
  const format::RegistryTable& view = table_->view;
  std::vector<RegistryEntry> found;
  if (service.empty()) return found;
  for (uint32_t place = view.first_name_at(service); place < view.name_count(); ++place) {
    const uint32_t number = view.row_by_name(place);
    if (!base::equals_ignoring_case(view.service(number), service)) break;
    found.push_back(view.row(number));
  }
  return found;
}

std::vector<RegistryEntry> Registry::search(std::string_view words) const {
  std::vector<std::string_view> wanted;
  for (auto word = base::take_word(words); !word.empty(); word = base::take_word(words)) {
    wanted.push_back(word);
  }
  std::vector<RegistryEntry> found = all();
  std::erase_if(found, [&wanted](const RegistryEntry& entry) {
    return !std::ranges::all_of(wanted, [&entry](std::string_view word) {
      return base::contains_ignoring_case(entry.service, word) ||
             base::contains_ignoring_case(entry.description, word) ||
             base::contains_ignoring_case(entry.assignee, word);
    });
  });
  return found;
}

std::vector<RegistryEntry> Registry::all() const {
  const format::RegistryTable& view = table_->view;
  std::vector<RegistryEntry> rows;
  rows.reserve(view.size());
  uint32_t single = 0;
  uint32_t range = view.single_count();
  while (rows.size() < view.size()) {
    const bool take_single =
        range == view.size() ||
        (single < view.single_count() && view.ports(single).first <= view.ports(range).first);
    rows.push_back(view.row(take_single ? single++ : range++));
  }
  return rows;
}

size_t Registry::size() const { return table_->view.size(); }

std::string Registry::origin() const {
  const format::RegistryOrigin origin = table_->view.origin();
  if (origin.source.empty()) return "built in: IANA registry of " + std::string(origin.date);
  return "imported from " + std::string(origin.source) + " on " + std::string(origin.date);
}

}  // namespace ports
