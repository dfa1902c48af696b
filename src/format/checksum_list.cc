#include "format/checksum_list.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace format {
namespace {

constexpr std::string_view kHeading = "twinport checksums 1\n";
constexpr std::string_view kSumWord = "sum ";
constexpr size_t kMd5Digits = 32;
constexpr size_t kSumLineBytes = kSumWord.size() + kMd5Digits + 1;

template <class Number>
bool take_number(std::string_view& rest, Number& out) {
  const auto number = base::parse_number<Number>(base::take_until(rest, ' '));
  out = number.value_or(0);
  return number.has_value();
}

}  // namespace

bool is_md5_text(std::string_view text) {
  return text.size() == kMd5Digits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string encode_checksum_list(const std::vector<FileChecksum>& entries, const Md5OfText& md5) {
  std::string out(kHeading);
  for (const FileChecksum& entry : entries) {
    out += std::to_string(entry.stamp.device) + ' ' + std::to_string(entry.stamp.inode) + ' ' +
           std::to_string(entry.stamp.size_bytes) + ' ' + std::to_string(entry.stamp.mtime_ns) +
           ' ' + std::to_string(entry.stamp.ctime_ns) + ' ' + entry.md5 + '\n';
  }
  const std::string sum = md5(out);
  out += kSumWord;
  out += sum;
  out += '\n';
  return out;
}

std::optional<std::vector<FileChecksum>> decode_checksum_list(std::string_view text,
                                                              const Md5OfText& md5) {
  if (text.size() < kHeading.size() + kSumLineBytes || !text.starts_with(kHeading)) {
    return std::nullopt;
  }
  std::string_view body = text.substr(0, text.size() - kSumLineBytes);
  const std::string_view sum_line = text.substr(body.size());
  if (!body.ends_with('\n') || !sum_line.starts_with(kSumWord) || !sum_line.ends_with('\n') ||
      sum_line.substr(kSumWord.size(), kMd5Digits) != md5(body)) {
    return std::nullopt;
  }
  std::vector<FileChecksum> out;
  for (body.remove_prefix(kHeading.size()); !body.empty();) {
    std::string_view line = base::take_until(body, '\n');
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
