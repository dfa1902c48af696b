#include "format/registry_table.h"

#include <algorithm>
#include <array>
#include <compare>
#include <map>
#include <ranges>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/text.h"

namespace format {
namespace {

constexpr std::string_view kMagic = "TWPREG\r\n";
constexpr size_t kHeaderBytes = 64;
constexpr size_t kRowBytes = 20;
constexpr size_t kDetailBytes = 28;
constexpr size_t kNameBytes = 4;
constexpr size_t kChecksumAt = 8;
constexpr size_t kSummedFrom = 16;
constexpr size_t kMaxTableBytes = 64U << 20;

template <class T>
T load(const char* bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<uint8_t>(bytes[i])) << (8 * i));
  }
  return value;
}

template <class T>
void append(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

// `bytes` is a multiple of 8 long. Each step is a bijection of the sum, so a change of any one
// word always changes the result.
uint64_t checksum(std::string_view bytes) {
  uint64_t sum = 0xCBF29CE484222325ULL;
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    sum = (sum ^ load<uint64_t>(bytes.data() + at)) * 0x100000001B3ULL;
  }
  return sum;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::strong_ordering compare_names(std::string_view left, std::string_view right) {
  return std::lexicographical_compare_three_way(
      left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
        return static_cast<uint8_t>(lower(a)) <=> static_cast<uint8_t>(lower(b));
      });
}

bool is_protocol(uint8_t value) {
  return model::protocol_name(model::Protocol{value}) != "unknown";
}

std::unexpected<base::Error> damaged(const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt, "not a sound registry table: " + what);
}

/// Everything after the header, each text and each detail once.
class TableWriter {
 public:
  TableWriter() { append<uint16_t>(text_, 0); }  // ref 0 is the empty text

  uint32_t text_ref(std::string_view text) {
    if (text.empty()) return 0;
    const auto [found, inserted] = text_refs_.try_emplace(text, 0);
    if (inserted) {
      found->second = static_cast<uint32_t>(text_.size());
      append(text_, static_cast<uint16_t>(text.size()));
      text_ += text;
    }
    return found->second;
  }

  void add(const model::RegistryEntry& entry) {
    append(rows_, entry.ports.first);
    append(rows_, entry.ports.last);
    append(rows_, static_cast<uint8_t>(entry.protocol));
    rows_.append(3, '\0');
    append(rows_, text_ref(entry.service));
    append(rows_, text_ref(entry.description));
    append(rows_, detail(entry));
  }

  std::string finish(uint32_t singles, uint32_t ranges, std::span<const uint32_t> names,
                     const RegistryOrigin& origin) {
    const uint32_t source = text_ref(origin.source);
    const uint32_t date = text_ref(origin.date);
    const size_t used =
        kHeaderBytes + rows_.size() + details_.size() + names.size() * kNameBytes + text_.size();
    const size_t total = (used + 7) / 8 * 8;
    std::string out(kMagic);
    append<uint64_t>(out, 0);
    append(out, kRegistryTableVersion);
    append(out, static_cast<uint32_t>(total));
    append(out, singles);
    append(out, ranges);
    append(out, static_cast<uint32_t>(details_.size() / kDetailBytes));
    append(out, static_cast<uint32_t>(names.size()));
    append(out, static_cast<uint32_t>(text_.size()));
    append(out, source);
    append(out, date);
    out.append(kHeaderBytes - out.size(), '\0');
    out += rows_;
    out += details_;
    for (const uint32_t name : names) append(out, name);
    out += text_;
    out.append(total - used, '\0');
    std::string sum;
    append(sum, checksum(std::string_view(out).substr(kSummedFrom)));
    return out.replace(kChecksumAt, sum.size(), sum);
  }

 private:
  uint32_t detail(const model::RegistryEntry& entry) {
    const std::array<uint32_t, kDetailBytes / 4> refs{
        text_ref(entry.assignee), text_ref(entry.contact),   text_ref(entry.registered),
        text_ref(entry.modified), text_ref(entry.reference), text_ref(entry.unauthorized),
        text_ref(entry.notes)};
    const auto [found, inserted] =
        detail_numbers_.try_emplace(refs, static_cast<uint32_t>(details_.size() / kDetailBytes));
    if (inserted) {
      for (const uint32_t ref : refs) append(details_, ref);
    }
    return found->second;
  }

  std::string rows_;
  std::string details_;
  std::string text_;
  std::unordered_map<std::string_view, uint32_t> text_refs_;
  std::map<std::array<uint32_t, kDetailBytes / 4>, uint32_t> detail_numbers_;
};

auto sort_key(const model::RegistryEntry& entry) {
  return std::tuple(!entry.ports.single(), entry.ports.first, entry.ports.last, entry.protocol);
}

base::Result<void> check_writable(std::span<const model::RegistryEntry> rows,
                                  const RegistryOrigin& origin) {
  if (rows.size() > kRegistryTableMaxRows) {
    return base::fail(base::ErrorKind::kUnsupported,
                      std::to_string(rows.size()) + " rows are more than a table can hold");
  }
  size_t bytes = kHeaderBytes + rows.size() * (kRowBytes + kDetailBytes + kNameBytes);
  const auto fits = [&bytes](std::string_view text) {
    bytes += 2 + text.size();
    return text.size() <= UINT16_MAX;
  };
  bool all_fit = fits(origin.source) && fits(origin.date);
  for (const auto& row : rows) {
    for (const auto text : {row.service, row.description, row.assignee, row.contact, row.registered,
                            row.modified, row.reference, row.unauthorized, row.notes}) {
      all_fit = fits(text) && all_fit;
    }
  }
  if (all_fit && bytes <= kMaxTableBytes) return {};
  return base::fail(base::ErrorKind::kUnsupported, "the texts are longer than a table can hold");
}

}  // namespace

base::Result<std::string> write_registry_table(std::span<const model::RegistryEntry> rows,
                                               const RegistryOrigin& origin) {
  if (auto checked = check_writable(rows, origin); !checked) {
    return std::unexpected(checked.error());
  }
  const auto numbers = std::views::iota(0U, static_cast<uint32_t>(rows.size()));
  std::vector<uint32_t> order(numbers.begin(), numbers.end());
  std::ranges::sort(order, {}, [rows](uint32_t i) { return std::tuple(sort_key(rows[i]), i); });
  TableWriter writer;
  std::vector<uint32_t> names;
  uint32_t singles = 0;
  for (uint32_t number = 0; number < order.size(); ++number) {
    const model::RegistryEntry& entry = rows[order[number]];
    writer.add(entry);
    singles += entry.ports.single() ? 1 : 0;
    if (!entry.service.empty()) names.push_back(number);
  }
  std::ranges::sort(names, [rows, &order](uint32_t left, uint32_t right) {
    const auto by_name = compare_names(rows[order[left]].service, rows[order[right]].service);
    return by_name != 0 ? by_name < 0 : left < right;
  });
  return writer.finish(singles, static_cast<uint32_t>(order.size()) - singles, names, origin);
}

base::Result<RegistryTable> RegistryTable::open_trusted(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) {
    return damaged("it does not begin as one");
  }
  const auto number = [bytes](size_t at) { return load<uint32_t>(bytes.data() + at); };
  if (number(16) != kRegistryTableVersion) {
    return damaged("it is of version " + std::to_string(number(16)) + ", this program reads " +
                   std::to_string(kRegistryTableVersion) + "; import the registry again");
  }
  RegistryTable table;
  table.single_count_ = number(24);
  table.range_count_ = number(28);
  table.detail_count_ = number(32);
  table.name_count_ = number(36);
  table.text_size_ = number(40);
  table.source_ = number(44);
  table.date_ = number(48);
  // Sums of 32-bit counts times small sizes: no overflow in 64 bits.
  const uint64_t row_count = uint64_t{table.single_count_} + table.range_count_;
  const uint64_t details_at = kHeaderBytes + row_count * kRowBytes;
  const uint64_t names_at = details_at + uint64_t{table.detail_count_} * kDetailBytes;
  const uint64_t text_at = names_at + uint64_t{table.name_count_} * kNameBytes;
  const uint64_t total = (text_at + table.text_size_ + 7) / 8 * 8;
  if (total != bytes.size() || total != number(20)) {
    return damaged("its parts need " + std::to_string(total) + " bytes and it has " +
                   std::to_string(bytes.size()));
  }
  table.rows_ = bytes.data() + kHeaderBytes;
  table.details_ = bytes.data() + details_at;
  table.names_ = bytes.data() + names_at;
  table.text_ = bytes.data() + text_at;
  return table;
}

base::Result<RegistryTable> RegistryTable::open(std::string_view bytes) {
  auto table = open_trusted(bytes);
  if (!table) return table;
  if (table->size() > kRegistryTableMaxRows) return damaged("it has too many rows");
  if (load<uint64_t>(bytes.data() + kChecksumAt) != checksum(bytes.substr(kSummedFrom))) {
    return damaged("its checksum is wrong");
  }
  if (!table->text_fits(table->source_) || !table->text_fits(table->date_)) {
    return damaged("its origin lies outside the text");
  }
  if (auto checked = table->check_details(); !checked) return std::unexpected(checked.error());
  if (auto checked = table->check_rows(); !checked) return std::unexpected(checked.error());
  // Last, because their order is that of the rows' services.
  if (auto checked = table->check_names(); !checked) return std::unexpected(checked.error());
  return table;
}

base::Result<void> RegistryTable::check_details() const {
  for (uint64_t at = 0; at < uint64_t{detail_count_} * kDetailBytes; at += 4) {
    if (!text_fits(load<uint32_t>(details_ + at))) {
      return damaged("detail " + std::to_string(at / kDetailBytes) + " points outside the text");
    }
  }
  return {};
}

base::Result<void> RegistryTable::check_rows() const {
  std::tuple<bool, uint16_t, uint16_t, uint8_t> before{};
  for (uint32_t number = 0; number < size(); ++number) {
    const char* bytes = row_bytes(number);
    const model::PortRange range = ports(number);
    const auto protocol_number = static_cast<uint8_t>(bytes[4]);
    const std::tuple key(number >= single_count_, range.first, range.last, protocol_number);
    const bool kind_fits = number < single_count_ ? range.single() : range.first < range.last;
    if (!kind_fits || key < before || !is_protocol(protocol_number)) {
      return damaged("row " + std::to_string(number) + " is out of place");
    }
    if (!text_fits(load<uint32_t>(bytes + 8)) || !text_fits(load<uint32_t>(bytes + 12)) ||
        load<uint32_t>(bytes + 16) >= detail_count_) {
      return damaged("row " + std::to_string(number) + " points outside the table");
    }
    before = key;
  }
  return {};
}

base::Result<void> RegistryTable::check_names() const {
  for (uint32_t place = 0; place < name_count_; ++place) {
    const uint32_t number = row_by_name(place);
    if (number >= size() || service(number).empty()) {
      return damaged("name " + std::to_string(place) + " is of no row");
    }
    if (place == 0) continue;
    const uint32_t before = row_by_name(place - 1);
    const auto order = compare_names(service(before), service(number));
    if (order > 0 || (order == 0 && before >= number)) {
      return damaged("name " + std::to_string(place) + " is out of place");
    }
  }
  return {};
}

bool RegistryTable::text_fits(uint32_t ref) const {
  if (uint64_t{ref} + 2 > text_size_) return false;
  return uint64_t{ref} + 2 + load<uint16_t>(text_ + ref) <= text_size_;
}

std::string_view RegistryTable::text(uint32_t ref) const {
  return {text_ + ref + 2, load<uint16_t>(text_ + ref)};
}

const char* RegistryTable::row_bytes(uint32_t number) const {
  return rows_ + size_t{number} * kRowBytes;
}

model::PortRange RegistryTable::ports(uint32_t number) const {
  const char* bytes = row_bytes(number);
  return {load<uint16_t>(bytes), load<uint16_t>(bytes + 2)};
}

model::Protocol RegistryTable::protocol(uint32_t number) const {
  return model::Protocol{static_cast<uint8_t>(row_bytes(number)[4])};
}

std::string_view RegistryTable::service(uint32_t number) const {
  return text(load<uint32_t>(row_bytes(number) + 8));
}

uint32_t RegistryTable::row_by_name(uint32_t place) const {
  return load<uint32_t>(names_ + size_t{place} * kNameBytes);
}

model::RegistryEntry RegistryTable::row(uint32_t number) const {
  const char* bytes = row_bytes(number);
  const char* detail = details_ + size_t{load<uint32_t>(bytes + 16)} * kDetailBytes;
  const auto detail_text = [&](size_t i) { return text(load<uint32_t>(detail + 4 * i)); };
  return {.ports = ports(number),
          .protocol = protocol(number),
          .service = service(number),
          .description = text(load<uint32_t>(bytes + 12)),
          .assignee = detail_text(0),
          .contact = detail_text(1),
          .registered = detail_text(2),
          .modified = detail_text(3),
          .reference = detail_text(4),
          .unauthorized = detail_text(5),
          .notes = detail_text(6)};
}

uint32_t RegistryTable::first_single_at(uint16_t port) const {
  const auto numbers = std::views::iota(uint32_t{0}, single_count_);
  const auto found = std::ranges::lower_bound(
      numbers, port, {}, [this](uint32_t number) { return ports(number).first; });
  return static_cast<uint32_t>(found - numbers.begin());
}

uint32_t RegistryTable::first_name_at(std::string_view service_name) const {
  const auto places = std::views::iota(uint32_t{0}, name_count_);
  const auto found = std::ranges::partition_point(places, [&](uint32_t place) {
    return compare_names(service(row_by_name(place)), service_name) < 0;
  });
  return static_cast<uint32_t>(found - places.begin());
}

}  // namespace format
