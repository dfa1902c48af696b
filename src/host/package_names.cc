#include "host/package_names.h"

#include <algorithm>
#include <utility>

#include "host/cache_file.h"
#include "host/md5.h"

namespace host {
namespace {

constexpr size_t kMostFiles = 4096;

/// What dpkg's database looks like, on one line: each change to it replaces files in `info`, and so
/// changes that directory, and it replaces `status`. "" = it changed just now, or cannot be seen.
std::string stamp_of_dpkg(const std::string& dpkg_path, int64_t now_ns) {
  std::string out;
  for (const char* name : {"/info", "/status", "/diversions"}) {
    struct stat status{};
    if (::stat((dpkg_path + name).c_str(), &status) != 0) {
      if (name == std::string_view("/diversions")) continue;  // where nothing is diverted
      return {};
    }
    const format::FileStamp stamp = stamp_of(status);
    if (!is_old(stamp, now_ns)) return {};
    if (!out.empty()) out += ' ';
    for (const uint64_t number : {stamp.device, stamp.inode, stamp.size_bytes}) {
      out += std::to_string(number) + ':';
    }
    out += std::to_string(stamp.mtime_ns) + ':' + std::to_string(stamp.ctime_ns);
  }
  return out;
}

}  // namespace

PackageNames::PackageNames(std::string cache_path, std::string dpkg_path, int64_t now_ns)
    : cache_path_(std::move(cache_path)), dpkg_path_(std::move(dpkg_path)), now_ns_(now_ns) {
  if (cache_path_.empty()) return;
  const std::string stamp = stamp_of_dpkg(dpkg_path_, now_ns_);
  if (!stamp.empty()) {
    if (const auto text = read_cache(cache_path_)) {
      auto list = format::decode_package_list(*text, md5_of);
      if (list && list->stamp == stamp) list_ = std::move(*list);
    }
  }
  list_.stamp = stamp;
}

const format::PackagedFile* PackageNames::find(const std::string& path) const {
  const auto found = std::ranges::find(list_.files, path, &format::PackagedFile::path);
  return found == list_.files.end() ? nullptr : &*found;
}

void PackageNames::add(format::PackagedFile file) {
  if (!format::fits_package_list(file) || find(file.path) != nullptr) return;
  list_.files.push_back(std::move(file));
  changed_ = true;
}

void PackageNames::save() {
  if (!changed_ || cache_path_.empty() || list_.stamp.empty()) return;
  if (stamp_of_dpkg(dpkg_path_, now_ns_) != list_.stamp) return;
  if (list_.files.size() > kMostFiles) {
    list_.files.erase(list_.files.begin(), list_.files.end() - static_cast<ptrdiff_t>(kMostFiles));
  }
  changed_ = !keep_cache(cache_path_, format::encode_package_list(list_, md5_of));
}

}  // namespace host
