#include "format/checksum_list.h"

#include <utility>

#include "base/text.h"

namespace format {
namespace {

constexpr std::string_view kHeading = "twinport checksums 1\n";

template <class Number>
bool take_number(std::string_view& rest, Number& out) {
  const auto number = base::parse_number<Number>(base::take_until(rest, ' '));
  out = number.value_or(0);
  return number.has_value();
}

}  // namespace

std::string encode_checksum_list(const std::vector<FileChecksum>& entries, const Md5OfText& md5) {
  std::string out(kHeading);
  for (const FileChecksum& entry : entries) {
    out += std::to_string(entry.stamp.device) + ' ' + std::to_string(entry.stamp.inode) + ' ' +
           std::to_string(entry.stamp.size_bytes) + ' ' + std::to_string(entry.stamp.mtime_ns) +
           ' ' + std::to_string(entry.stamp.ctime_ns) + ' ' + entry.md5 + '\n';
  }
  return add_sum(std::move(out), md5);
}

std::optional<std::vector<FileChecksum>> decode_checksum_list(std::string_view text,
                                                              const Md5OfText& md5) {
  auto body = check_sum(text, kHeading, md5);
  if (!body) return std::nullopt;
  std::vector<FileChecksum> out;
  while (!body->empty()) {
    std::string_view line = base::take_until(*body, '\n');
    FileChecksum entry;
    const bool is_entry =
        take_number(line, entry.stamp.device) && take_number(line, entry.stamp.inode) &&
        take_number(line, entry.stamp.size_bytes) && take_number(line, entry.stamp.mtime_ns) &&
        take_number(line, entry.stamp.ctime_ns) && is_md5_text(line);
    if (!is_entry) return std::nullopt;
    entry.md5 = line;
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace format
