// A registry table from outside: opened or refused, and whatever is opened can be read to its last
// byte. Magic, size and checksum are put right first, or no mutation would get past them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "format/registry_table.h"

namespace {

void put(std::string& bytes, size_t at, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<char>(value >> 8 * i);
}

void seal(std::string& bytes) {
  bytes.replace(0, 8, "TWPREG\r\n");
  put(bytes, 16, format::kRegistryTableVersion, 4);
  put(bytes, 20, bytes.size(), 4);
  uint64_t sum = 0xCBF29CE484222325U;
  for (size_t at = 16; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) word |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << 8 * i;
    sum = (sum ^ word) * 0x100000001B3U;
  }
  put(bytes, 8, sum, 8);
}

size_t read_all(const format::RegistryTable& table) {
  size_t sum = table.origin().source.size() + table.origin().date.size();
  for (uint32_t number = 0; number < table.size(); ++number) {
    const model::RegistryEntry row = table.row(number);
    for (const auto text : {row.service, row.description, row.assignee, row.contact, row.registered,
                            row.modified, row.reference, row.unauthorized, row.notes}) {
      for (const char c : text) sum += static_cast<uint8_t>(c);
    }
  }
  for (uint32_t place = 0; place < table.name_count(); ++place) sum += table.row_by_name(place);
  return sum + table.first_single_at(1744) + table.first_name_at("ncpm-ft");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  (void)format::RegistryTable::open(bytes);
  if (bytes.size() < 64) return 0;
  bytes.resize(bytes.size() / 8 * 8);
  seal(bytes);
  const auto table = format::RegistryTable::open(bytes);
  if (!table && table.error().message.contains("checksum")) abort();
  if (table) {
    volatile size_t sum = read_all(*table);
    (void)sum;
  }
  return 0;
}
