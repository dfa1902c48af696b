#include "format/summed_text.h"

#include <algorithm>
#include <utility>

namespace format {
namespace {

constexpr std::string_view kSumWord = "sum ";
constexpr size_t kMd5Digits = 32;
constexpr size_t kSumLineBytes = kSumWord.size() + kMd5Digits + 1;

}  // namespace

bool is_md5_text(std::string_view text) {
  return text.size() == kMd5Digits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string add_sum(std::string body, const Md5OfText& md5) {
  const std::string sum = md5(body);
  body += kSumWord;
  body += sum;
  body += '\n';
  return body;
}

std::optional<std::string_view> check_sum(std::string_view text, std::string_view heading,
                                          const Md5OfText& md5) {
  if (text.size() < heading.size() + kSumLineBytes || !text.starts_with(heading)) {
    return std::nullopt;
  }
  std::string_view body = text.substr(0, text.size() - kSumLineBytes);
  const std::string_view sum_line = text.substr(body.size());
  if (!body.ends_with('\n') || !sum_line.starts_with(kSumWord) || !sum_line.ends_with('\n') ||
      sum_line.substr(kSumWord.size(), kMd5Digits) != md5(body)) {
    return std::nullopt;
  }
  body.remove_prefix(heading.size());
  return body;
}

}  // namespace format
