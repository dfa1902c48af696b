// The cache of package names: which package ships a program, as dpkg's lists said when they were
// last read. Pure; any thread.
//
//   file  = "twinport packages 1\n" stamp "\n" *entry "sum " MD5 of all bytes before this line "\n"
//   stamp = text                              what dpkg's database looked like; no line break
//   entry = list " " version " " path "\n"    `list` as files in dpkg's info/ are called; where no
//                                             package ships the path, list and version are "-"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/summed_text.h"

namespace format {

struct PackagedFile {
  std::string path;
  std::string list_name;  ///< "libc6:amd64"; "" = no package ships it
  std::string version;
  bool operator==(const PackagedFile&) const = default;
};

struct PackageList {
  std::string stamp;
  std::vector<PackagedFile> files;
  bool operator==(const PackageList&) const = default;
};

/// Whether it can be told on one line; a path with a line break cannot.
bool fits_package_list(const PackagedFile& file);

/// Leaves out what does not fit.
std::string encode_package_list(const PackageList& list, const Md5OfText& md5);

/// Nothing when a single byte is not as encode_package_list() wrote it.
std::optional<PackageList> decode_package_list(std::string_view text, const Md5OfText& md5);

}  // namespace format
