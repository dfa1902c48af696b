#include "host/package_finder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/file.h"
#include "format/dpkg_database.h"
#include "host/cache_file.h"
#include "host/checksum_cache.h"
#include "host/package_names.h"
#include "host/thread_group.h"

namespace host {
namespace {

constexpr std::string_view kListSuffix = ".list";
constexpr size_t kLargestFile = 64U << 20;
constexpr size_t kTellingLetters = 3;

/// One name under which a path may stand in the packages' lists, and whose list counts.
struct Candidate {
  size_t exe = 0;
  std::string listed_path;
  std::string only_package;  ///< "" = any
  std::string not_package;   ///< "" = none
};

/// Where a path was found.
struct Match {
  std::string list_name;  ///< "libc6:amd64", as the file in info/ is called
  std::string listed_path;
};

bool same_directory(const std::string& left, const std::string& right) {
  struct stat one{};
  struct stat other{};
  return ::stat(left.c_str(), &one) == 0 && ::stat(right.c_str(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Where /bin is a link to /usr/bin, a file of either may stand in the lists under the other.
std::optional<std::string> merged_alias(const std::string& path) {
  static constexpr std::string_view kUsr = "/usr";
  const bool in_usr = path.starts_with("/usr/");
  std::string alias = in_usr ? path.substr(kUsr.size()) : std::string(kUsr) + path;
  const std::string& shorter = in_usr ? alias : path;
  const std::string top = shorter.substr(0, shorter.find('/', 1));
  if (top != "/bin" && top != "/sbin" && !top.starts_with("/lib")) return std::nullopt;
  if (!same_directory(top, std::string(kUsr) + top)) return std::nullopt;
  return alias;
}

// A machine without this part of dpkg's database is a machine that does not know.
std::string read_or_nothing(const std::string& path) {
  return base::read_file(path.c_str(), kLargestFile).value_or(std::string());
}

/// One look into a dpkg database.
class Search {
 public:
  Search(const std::vector<std::string>& exes, const std::string& dpkg_path)
      : dpkg_path_(dpkg_path), matches_(exes.size()) {
    const auto read = base::read_file((dpkg_path + "/diversions").c_str(), kLargestFile);
    // Where nothing is diverted there may be no such file.
    unread_ = !read && read.error().kind != base::ErrorKind::kNotFound;
    const std::string text = read.value_or(std::string());
    const auto diversions = format::parse_diversions(text);
    for (size_t i = 0; i < exes.size(); ++i) {
      if (!exes[i].starts_with('/')) continue;
      add_candidate(i, exes[i], diversions);
      if (const auto alias = merged_alias(exes[i])) add_candidate(i, *alias, diversions);
    }
    for (size_t i = 0; i < candidates_.size(); ++i) paths_.add(candidates_[i].listed_path, i);
  }

  std::vector<std::optional<Match>> run();
  /// Whether run() could read all that it wanted to: else what was not found may be there.
  [[nodiscard]] bool is_complete() const { return !unread_; }

 private:
  void add_candidate(size_t exe, const std::string& path,
                     const std::vector<format::Diversion>& diversions);
  [[nodiscard]] bool is_likely(std::string_view list_name) const;
  void scan(const std::string& list_name, std::string_view text);
  void scan_files(int info, std::span<const std::string> file_names);

  std::string dpkg_path_;
  std::vector<Candidate> candidates_;
  format::PathSet paths_;  ///< of candidates, by index
  std::mutex mutex_;       ///< of the following
  std::vector<std::optional<Match>> matches_;
  std::atomic<size_t> found_ = 0;
  std::atomic<bool> unread_ = false;
};

void Search::add_candidate(size_t exe, const std::string& path,
                           const std::vector<format::Diversion>& diversions) {
  Candidate candidate{.exe = exe, .listed_path = path, .only_package = {}, .not_package = {}};
  for (const auto& diversion : diversions) {
    if (diversion.to == path) {
      candidate.listed_path = diversion.from;
      candidate.not_package = diversion.package;
    } else if (diversion.from == path) {
      // What lies at the path is the diverting package's; nobody's, if the administrator diverted.
      if (diversion.package.empty()) return;
      candidate.only_package = diversion.package;
    }
  }
  candidates_.push_back(std::move(candidate));
}

void Search::scan(const std::string& list_name, std::string_view text) {
  paths_.scan(text, [&](size_t index) {
    const Candidate& candidate = candidates_[index];
    const std::string package = format::parse_package_name(list_name).name;
    const std::lock_guard lock(mutex_);
    if (matches_[candidate.exe] || package == candidate.not_package) return;
    if (!candidate.only_package.empty() && package != candidate.only_package) return;
    matches_[candidate.exe] = Match{list_name, candidate.listed_path};
    ++found_;
  });
}

// Most programs share their first letters with their package (sshd and openssh-server, postgres and
// postgresql-15). Those lists are read first, and often no other is.
bool Search::is_likely(std::string_view list_name) const {
  return std::ranges::any_of(candidates_, [&](const Candidate& candidate) {
    const std::string_view path = candidate.listed_path;
    const std::string_view start = path.substr(path.rfind('/') + 1, kTellingLetters);
    return start.size() == kTellingLetters && list_name.find(start) != std::string_view::npos;
  });
}

std::vector<std::optional<Match>> Search::run() {
  const std::string info_path = dpkg_path_ + "/info";
  const int info = ::open(info_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(info < 0 ? nullptr : ::fdopendir(info),
                                                    ::closedir);
  if (listing == nullptr) unread_ = true;
  if (listing == nullptr || paths_.empty()) return std::move(matches_);
  std::vector<std::string> file_names;
  // The stream is ours alone. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name.ends_with(kListSuffix)) file_names.emplace_back(name);
  }
  const auto rest =
      std::ranges::partition(file_names, [&](const std::string& name) { return is_likely(name); });
  scan_files(info, {file_names.begin(), rest.begin()});
  if (found_ < matches_.size()) {
    // What is in no package is found in no list, so all must be read; two threads are twice as
    // fast.
    const auto middle = rest.begin() + std::ranges::ssize(rest) / 2;
    ThreadGroup helper;
    const bool helped = helper.start([&] { scan_files(info, {middle, rest.end()}); });
    scan_files(info, {rest.begin(), helped ? middle : rest.end()});
  }
  return std::move(matches_);
}

void Search::scan_files(int info, std::span<const std::string> file_names) {
  std::string text;
  for (const std::string& name : file_names) {
    if (found_ == matches_.size()) return;
    if (!base::read_file_at(info, name.c_str(), text, kLargestFile)) {
      unread_ = true;
      continue;
    }
    scan(name.substr(0, name.size() - kListSuffix.size()), text);
  }
}

model::PackageCheck check_file(const std::string& exe, const Match& match,
                               std::string_view conffiles, const std::string& dpkg_path,
                               ChecksumCache& cache) {
  const std::string sums = read_or_nothing(dpkg_path + "/info/" + match.list_name + ".md5sums");
  auto recorded = format::find_md5(sums, match.listed_path);
  if (!recorded) recorded = format::find_conffile_md5(conffiles, match.listed_path);
  if (!recorded) return model::PackageCheck::kNoChecksum;
  const base::Fd file(::open(exe.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  const auto actual = file.valid() ? cache.md5(file.get()) : std::nullopt;
  if (!actual) return model::PackageCheck::kUnreadable;
  return *actual == *recorded ? model::PackageCheck::kIntact : model::PackageCheck::kModified;
}

/// All there is to know, from dpkg's lists and status.
std::vector<PackageFinding> search(const std::vector<std::string>& exes, bool verify,
                                   const std::string& checksums_path, const std::string& dpkg_path,
                                   PackageNames& names) {
  std::vector<PackageFinding> out(exes.size());
  Search lists(exes, dpkg_path);
  const auto matches = lists.run();
  std::vector<format::PackageName> packages;
  packages.reserve(matches.size());
  for (const auto& match : matches) {
    packages.push_back(match ? format::parse_package_name(match->list_name)
                             : format::PackageName{});
  }
  const std::string status = read_or_nothing(dpkg_path + "/status");
  const auto stanzas = format::find_stanzas(status, packages);
  ChecksumCache cache(verify ? checksums_path : std::string());
  for (size_t i = 0; i < exes.size(); ++i) {
    const std::optional<Match>& match = matches[i];
    out[i].package = packages[i].name;
    out[i].version = stanzas[i].version;
    if (match || lists.is_complete()) {
      names.add({exes[i], match ? match->list_name : std::string(), out[i].version});
    }
    if (match && verify) {
      out[i].check = check_file(exes[i], *match, stanzas[i].conffiles, dpkg_path, cache);
    }
  }
  cache.save();
  return out;
}

}  // namespace

std::vector<PackageFinding> find_packages(const std::vector<std::string>& exes, bool verify,
                                          const PackageCaches& caches,
                                          const std::string& dpkg_path) {
  PackageNames names(caches.names, dpkg_path, caches.now_ns != 0 ? caches.now_ns : wall_clock_ns());
  std::vector<PackageFinding> out(exes.size());
  std::vector<std::string> unknown;
  std::vector<size_t> places;
  for (size_t i = 0; i < exes.size(); ++i) {
    // To check a file it takes to know in which list it stands, and under which name.
    if (const auto* known = verify ? nullptr : names.find(exes[i])) {
      out[i].package = format::parse_package_name(known->list_name).name;
      out[i].version = known->version;
    } else {
      unknown.push_back(exes[i]);
      places.push_back(i);
    }
  }
  if (unknown.empty()) return out;
  auto found = search(unknown, verify, caches.checksums, dpkg_path, names);
  for (size_t i = 0; i < found.size(); ++i) out[places[i]] = std::move(found[i]);
  names.save();
  return out;
}

}  // namespace host
