// Which Debian package ships a program, and whether the file is still what the package shipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/process.h"

namespace host {

struct PackageFinding {
  std::string package;  ///< "" = no package ships this path
  std::string version;
  model::PackageCheck check = model::PackageCheck::kNotAsked;
};

/// Files to remember findings in; "" = remember nothing.
struct PackageCaches {
  std::string names;      ///< which package ships a path, while dpkg's database stays as it is
  std::string checksums;  ///< by device, inode, size, mtime and ctime of a file
  int64_t now_ns = 0;     ///< wall clock, 0 = as it is
};

/// The caller leaves out a process with `exe_elsewhere` (its path means another file), and does not
/// believe `check` of one with `exe_deleted` (the file that was checked is not the one that runs).
/// Looks all the paths up in one pass over dpkg's file lists; answers in the order of `exes`. With
/// `verify`, compares each file with the package's recorded MD5 sum (a changed file is proof of a
/// change; an equal sum is no proof against an attacker who can also change dpkg's lists).
std::vector<PackageFinding> find_packages(const std::vector<std::string>& exes, bool verify,
                                          const PackageCaches& caches,
                                          const std::string& dpkg_path = "/var/lib/dpkg");

}  // namespace host
