// The text files of dpkg's database under /var/lib/dpkg, as far as the question "which package
// ships this file" needs them. Pure; any thread. All returned views point into the text that was
// given.
//
//   info/NAME[:ARCH].list     = *(path "\n")
//   info/NAME[:ARCH].md5sums  = *(32 hexadecimal digits, two blanks, path without "/" at its start)
//   diversions                = *(path "\n" new path "\n" (package | ":") "\n")
//   status                    = stanzas as in deb822(5), separated by empty lines
#pragma once

#include <bitset>
#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace format {

/// Finds whichever of many paths occur as whole lines, in one walk over the text.
class PathSet {
 public:
  /// `tag` is handed back for each occurrence; a path may be added with several tags.
  void add(std::string path, size_t tag);
  [[nodiscard]] bool empty() const { return tags_.empty(); }
  /// The last line needs no line break. `found` is called in the order of the text.
  void scan(std::string_view text, const std::function<void(size_t tag)>& found) const;

 private:
  static constexpr size_t kLongestPath = 4096;  // PATH_MAX: a longer line is no path
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_multimap<std::string, size_t, Hash, std::equal_to<>> tags_;
  std::bitset<kLongestPath + 1> lengths_;
};

struct Diversion {
  std::string_view from;     ///< the path in the packages' lists
  std::string_view to;       ///< where the file of all packages but `package` really lies
  std::string_view package;  ///< empty: diverted by the administrator
};
std::vector<Diversion> parse_diversions(std::string_view text);

struct DpkgStanza {
  std::string_view version;
  std::string_view conffiles;  ///< lines of " path md5 [obsolete]"
};

struct PackageName {
  std::string name;
  std::string architecture;  ///< "" = any
  auto operator<=>(const PackageName&) const = default;
};
/// "libc6:amd64" or "bash", as files in info/ and dpkg's own output spell it.
PackageName parse_package_name(std::string_view text);

/// The stanzas of these packages in the same order, empty where there is none or no name. One walk
/// over the text, which ends when all are found.
std::vector<DpkgStanza> find_stanzas(std::string_view status,
                                     const std::vector<PackageName>& packages);

/// The recorded sum of an absolute path, 32 lower-case hexadecimal digits.
std::optional<std::string_view> find_md5(std::string_view md5sums, std::string_view path);
std::optional<std::string_view> find_conffile_md5(std::string_view conffiles,
                                                  std::string_view path);

}  // namespace format
