#include "format/dpkg_database.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "format/checksum_list.h"

namespace format {
namespace {

constexpr size_t kMd5Digits = 32;

// The value of a field of one stanza: the rest of its line and the continuation lines below.
std::string_view field(std::string_view stanza, std::string_view name_and_colon) {
  for (std::string_view rest = stanza; !rest.empty();) {
    const std::string_view line = base::take_until(rest, '\n');
    if (!line.starts_with(name_and_colon)) continue;
    const size_t begin = static_cast<size_t>(line.data() - stanza.data()) + name_and_colon.size();
    size_t end = static_cast<size_t>(line.data() - stanza.data()) + line.size();
    while (rest.starts_with(' ')) {
      const std::string_view more = base::take_until(rest, '\n');
      end = static_cast<size_t>(more.data() - stanza.data()) + more.size();
    }
    return stanza.substr(begin, end - begin);
  }
  return {};
}

}  // namespace

void PathSet::add(std::string path, size_t tag) {
  if (path.empty() || path.size() > kLongestPath) return;
  lengths_.set(path.size());
  tags_.emplace(std::move(path), tag);
}

void PathSet::scan(std::string_view text, const std::function<void(size_t tag)>& found) const {
  while (!text.empty()) {
    const std::string_view line = base::take_until(text, '\n');
    if (line.size() > kLongestPath || !lengths_.test(line.size())) continue;
    const auto [first, last] = tags_.equal_range(line);
    std::for_each(first, last, [&](const auto& entry) { found(entry.second); });
  }
}

std::vector<Diversion> parse_diversions(std::string_view text) {
  std::vector<Diversion> out;
  while (!text.empty()) {
    Diversion diversion;
    diversion.from = base::take_until(text, '\n');
    diversion.to = base::take_until(text, '\n');
    diversion.package = base::take_until(text, '\n');
    if (!diversion.from.starts_with('/') || !diversion.to.starts_with('/')) return out;
    if (diversion.package == ":") diversion.package = {};
    out.push_back(diversion);
  }
  return out;
}

PackageName parse_package_name(std::string_view text) {
  const std::string_view name = base::take_until(text, ':');
  return {std::string(name), std::string(text)};
}

std::vector<DpkgStanza> find_stanzas(std::string_view status,
                                     const std::vector<PackageName>& packages) {
  std::vector<DpkgStanza> out(packages.size());
  std::unordered_multimap<std::string_view, size_t> wanted;
  for (size_t i = 0; i < packages.size(); ++i) {
    if (!packages[i].name.empty()) wanted.emplace(packages[i].name, i);
  }
  while (!status.empty() && !wanted.empty()) {
    const size_t end = std::min(status.find("\n\n"), status.size());
    const std::string_view stanza = status.substr(0, end);
    status.remove_prefix(std::min(end + 2, status.size()));
    const auto [first, last] = wanted.equal_range(base::trim(field(stanza, "Package:")));
    for (auto entry = first; entry != last;) {
      const std::string_view architecture = packages[entry->second].architecture;
      if (!architecture.empty() && base::trim(field(stanza, "Architecture:")) != architecture) {
        ++entry;
        continue;
      }
      out[entry->second] = {base::trim(field(stanza, "Version:")), field(stanza, "Conffiles:")};
      entry = wanted.erase(entry);
    }
  }
  return out;
}

std::optional<std::string_view> find_md5(std::string_view md5sums, std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  path.remove_prefix(1);
  while (!md5sums.empty()) {
    const std::string_view line = base::take_until(md5sums, '\n');
    if (!line.ends_with(path) || line.size() != kMd5Digits + 2 + path.size()) continue;
    const std::string_view sum = line.substr(0, kMd5Digits);
    if (is_md5_text(sum) && line.substr(kMd5Digits, 2) == "  ") return sum;
  }
  return std::nullopt;
}

std::optional<std::string_view> find_conffile_md5(std::string_view conffiles,
                                                  std::string_view path) {
  while (!conffiles.empty()) {
    std::string_view line = base::take_until(conffiles, '\n');
    if (base::take_word(line) != path || path.empty()) continue;
    const std::string_view sum = base::take_word(line);
    if (is_md5_text(sum)) return sum;
  }
  return std::nullopt;
}

}  // namespace format
