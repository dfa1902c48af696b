// PackageNames: remembers which package ships a program, for as long as dpkg's database stays as it
// is: to look in all its lists takes longer than to find out who holds a port. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "format/package_list.h"

namespace host {

class PackageNames {
 public:
  /// "" = remember nothing. `now_ns` is the wall clock.
  PackageNames(std::string cache_path, std::string dpkg_path, int64_t now_ns);

  /// nullptr = not known yet.
  [[nodiscard]] const format::PackagedFile* find(const std::string& path) const;
  void add(format::PackagedFile file);

  /// Replaces the cache file, if there is something new, and dpkg's database is what it was when
  /// this object was made: else nobody knows from which of the two an answer came.
  void save();

 private:
  std::string cache_path_;
  std::string dpkg_path_;
  int64_t now_ns_;
  format::PackageList list_;
  bool changed_ = false;
};

}  // namespace host
