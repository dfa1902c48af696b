// IANA's CSV: any bytes give rows within the limits, or an error that names a line of the text.
// What was read makes a table that opens and holds the same rows.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/iana_csv.h"
#include "format/registry_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto csv = format::parse_iana_csv(text);
  if (!csv) {
    if (!csv.error().message.starts_with("line ")) abort();
    return 0;
  }
  for (const auto& row : csv->rows) {
    if (row.ports.first > row.ports.last || row.notes.contains('\n')) abort();
  }
  const auto bytes = format::write_registry_table(csv->rows, {.source = "fuzzed", .date = ""});
  if (!bytes) abort();
  const auto table = format::RegistryTable::open(*bytes);
  if (!table || table->size() != csv->rows.size()) abort();
  if (csv->rows.size() > 200) return 0;  // the search below is quadratic
  for (const auto& row : csv->rows) {
    bool found = false;
    for (uint32_t number = 0; number < table->size() && !found; ++number) {
      found = table->service(number) == row.service && table->ports(number) == row.ports &&
              table->protocol(number) == row.protocol;
    }
    if (!found) abort();
  }
  return 0;
}
