// The port registry as a compact table that is read in place: the one built into the program, and
// the one that `twinport registry import` writes. docs/formats/registry-table.md explains it.
//
//   table   = header *row *detail *name text padding   ; all numbers little-endian
//   header  = magic(8 bytes "TWPREG" CR LF) checksum:u64 version:u32 total-size:u32
//             single-count:u32 range-count:u32 detail-count:u32 name-count:u32 text-size:u32
//             source:ref date:ref zero:u32 zero:u64                              ; 64 bytes
//   row     = first:u16 last:u16 protocol:u8 zero:u8 zero:u16 service:ref description:ref
//             detail:u32                                                         ; 20 bytes
//   detail  = assignee:ref contact:ref registered:ref modified:ref reference:ref
//             unauthorized:ref notes:ref                                         ; 28 bytes
//   name    = row-number:u32                                                     ; 4 bytes
//   text    = *( length:u16 *byte )        ; a ref is the offset of a length within the text
//   padding = *zero                        ; up to a multiple of 8
//
// Rows of one port come first, by (first, protocol); then rows of a range, by (first, last,
// protocol); equal keys keep the order of the source. Names are the rows that have a service, by
// (service in lower case, row number). The checksum is FNV-1a over the little-endian 64-bit words
// behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/registry_entry.h"

namespace format {

inline constexpr uint32_t kRegistryTableVersion = 1;
inline constexpr size_t kRegistryTableMaxRows = 400'000;

/// Where the rows came from, as the person is told.
struct RegistryOrigin {
  std::string_view source;  ///< the imported file, or "" for the table built in
  std::string_view date;    ///< "YYYY-MM-DD": of the import, or of the registry's data
};

/// Packs the rows; refuses more rows, longer texts or more text than the layout can hold.
base::Result<std::string> write_registry_table(std::span<const model::RegistryEntry> rows,
                                               const RegistryOrigin& origin);

/// A view of a table; the bytes must outlive it and everything it returns. No call allocates.
class RegistryTable {
 public:
  /// Checks everything, so that no later call can read outside the bytes.
  static base::Result<RegistryTable> open(std::string_view bytes);
  /// For the table that our own build made and our own tests opened: looks at the header alone.
  static base::Result<RegistryTable> open_trusted(std::string_view bytes);

  [[nodiscard]] uint32_t size() const { return single_count_ + range_count_; }
  [[nodiscard]] uint32_t single_count() const { return single_count_; }
  [[nodiscard]] uint32_t name_count() const { return name_count_; }
  [[nodiscard]] RegistryOrigin origin() const { return {text(source_), text(date_)}; }

  /// Row numbers below single_count() are single ports, the others ranges; number < size().
  [[nodiscard]] model::RegistryEntry row(uint32_t number) const;
  [[nodiscard]] model::PortRange ports(uint32_t number) const;
  [[nodiscard]] model::Protocol protocol(uint32_t number) const;
  [[nodiscard]] std::string_view service(uint32_t number) const;
  /// The row at this place in the order of service names; place < name_count().
  [[nodiscard]] uint32_t row_by_name(uint32_t place) const;

  /// The first of the single-port rows with this port or a higher one; single_count() if none.
  [[nodiscard]] uint32_t first_single_at(uint16_t port) const;
  /// The first place in the order of names with this service name or a later one, case ignored.
  [[nodiscard]] uint32_t first_name_at(std::string_view service) const;

 private:
  RegistryTable() = default;
  [[nodiscard]] bool text_fits(uint32_t ref) const;
  [[nodiscard]] std::string_view text(uint32_t ref) const;
  [[nodiscard]] const char* row_bytes(uint32_t number) const;
  [[nodiscard]] base::Result<void> check_rows() const;
  [[nodiscard]] base::Result<void> check_details() const;
  [[nodiscard]] base::Result<void> check_names() const;

  const char* rows_ = nullptr;
  const char* details_ = nullptr;
  const char* names_ = nullptr;
  const char* text_ = nullptr;
  uint32_t single_count_ = 0;
  uint32_t range_count_ = 0;
  uint32_t detail_count_ = 0;
  uint32_t name_count_ = 0;
  uint32_t text_size_ = 0;
  uint32_t source_ = 0;
  uint32_t date_ = 0;
};

}  // namespace format
