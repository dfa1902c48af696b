#include "ports/registry_import.h"

#include "base/file.h"
#include "format/iana_csv.h"
#include "format/registry_table.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr size_t kMaxCsvBytes = 64U << 20;

ImportSummary summarize(const format::IanaCsv& csv, std::string table_path) {
  ImportSummary summary{.table_path = std::move(table_path),
                        .rows = csv.rows.size(),
                        .without_port = csv.without_port,
                        .unknown_transports = csv.unknown_transports};
  for (const auto& row : csv.rows) {
    for (auto& [protocol, count] : summary.per_protocol) count += protocol == row.protocol ? 1 : 0;
  }
  return summary;
}

}  // namespace

base::Result<ImportSummary> import_registry(const std::string& csv_path,
                                            const std::string& state_directory,
                                            const ImportOptions& options) {
  const auto text = base::read_file(csv_path.c_str(), kMaxCsvBytes);
  if (!text) return std::unexpected(text.error());
  const auto csv = format::parse_iana_csv(*text);
  if (!csv) {
    return base::fail(csv.error().kind,
                      csv_path + ": " + csv.error().message + "; nothing was imported");
  }
  if (csv->rows.size() < kFewestPlausibleRows && !options.force) {
    return base::fail(base::ErrorKind::kCorrupt,
                      csv_path + " has " + counted(csv->rows.size(), "row") +
                          " with a port and IANA's registry has over 12000; nothing was "
                          "imported. Download it again, or add --force if you mean it");
  }
  const auto table =
      format::write_registry_table(csv->rows, {.source = csv_path, .date = options.date});
  if (!table) {
    return base::fail(table.error().kind, csv_path + ": " + table.error().message);
  }
  if (auto made = base::make_directories(state_directory); !made) {
    return std::unexpected(made.error());
  }
  std::string table_path = state_directory + '/' + std::string(kRegistryTableName);
  if (auto written = base::replace_file(table_path, *table); !written) {
    return std::unexpected(written.error());
  }
  return summarize(*csv, std::move(table_path));
}

}  // namespace ports
