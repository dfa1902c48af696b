// Import of IANA's registry as a person downloads it, for look-ups from then on.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "base/result.h"
#include "model/port.h"

namespace ports {

/// The imported table's file name inside the state directory.
inline constexpr std::string_view kRegistryTableName = "registry.table";
/// IANA's file has had more rows than this since the 1990s; one with fewer is cut off or another.
inline constexpr size_t kFewestPlausibleRows = 1000;

struct ImportOptions {
  bool force = false;  ///< take a file with implausibly few rows
  std::string date;    ///< today, "YYYY-MM-DD", kept as the table's provenance
};

struct ImportSummary {
  std::string table_path;
  size_t rows = 0;                ///< rows that look-ups can now find
  size_t without_port = 0;        ///< service names without a port; left out
  size_t unknown_transports = 0;  ///< rows of transports other than ours; left out
  std::array<std::pair<model::Protocol, size_t>, 4> per_protocol{{{model::Protocol::kTcp, 0},
                                                                  {model::Protocol::kUdp, 0},
                                                                  {model::Protocol::kSctp, 0},
                                                                  {model::Protocol::kDccp, 0}}};
};

/// Checks the whole file, then replaces STATE/registry.table in one step. On any failure what was
/// there stays. A malformed file is kCorrupt with its line number, too few rows are kUsage.
base::Result<ImportSummary> import_registry(const std::string& csv_path,
                                            const std::string& state_directory,
                                            const ImportOptions& options);

}  // namespace ports
