#include "format/package_list.h"

#include <utility>

#include "base/text.h"

namespace format {
namespace {

constexpr std::string_view kHeading = "twinport packages 1\n";
constexpr std::string_view kNone = "-";

bool is_word(std::string_view text) {
  return !text.empty() && text != kNone && text.find_first_of(" \n") == std::string_view::npos;
}

}  // namespace

bool fits_package_list(const PackagedFile& file) {
  if (file.path.empty() || file.path.find('\n') != std::string::npos) return false;
  if (file.list_name.empty()) return file.version.empty();
  return is_word(file.list_name) && is_word(file.version);
}

std::string encode_package_list(const PackageList& list, const Md5OfText& md5) {
  std::string out(kHeading);
  out += list.stamp + '\n';
  for (const PackagedFile& file : list.files) {
    if (!fits_package_list(file)) continue;
    const bool packaged = !file.list_name.empty();
    out += packaged ? std::string_view(file.list_name) : kNone;
    out += ' ';
    out += packaged ? std::string_view(file.version) : kNone;
    out += ' ' + file.path + '\n';
  }
  return add_sum(std::move(out), md5);
}

std::optional<PackageList> decode_package_list(std::string_view text, const Md5OfText& md5) {
  auto body = check_sum(text, kHeading, md5);
  if (!body || body->empty()) return std::nullopt;
  PackageList list;
  list.stamp = base::take_until(*body, '\n');
  while (!body->empty()) {
    std::string_view line = base::take_until(*body, '\n');
    const std::string_view list_name = base::take_until(line, ' ');
    const std::string_view version = base::take_until(line, ' ');
    PackagedFile file{.path = std::string(line), .list_name = {}, .version = {}};
    if (list_name != kNone || version != kNone) {
      file.list_name = list_name;
      file.version = version;
      if (list_name.empty() || version.empty()) return std::nullopt;
    }
    if (!fits_package_list(file)) return std::nullopt;
    list.files.push_back(std::move(file));
  }
  return list;
}

}  // namespace format
