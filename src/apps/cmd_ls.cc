// twinport ls: what is in a snapshot.
#include <algorithm>
#include <array>
#include <optional>

#include "apps/cmd_repository.h"
#include "backup/tree_reader.h"
#include "base/text.h"
#include "ports/time_query.h"

namespace apps {
namespace {

using model::FileType;
using model::TreeEntry;

constexpr int64_t kMicroseconds = 1'000'000;

std::string_view type_name(FileType type) {
  constexpr std::array<std::string_view, 8> kNames{
      "", "file", "directory", "symlink", "character_device", "block_device", "fifo", "socket"};
  return kNames[static_cast<size_t>(type)];
}

/// "drwxr-xr-x", as ls(1) has it.
std::string mode_text(const TreeEntry& entry) {
  std::string out(1, "?-dlcbps"[static_cast<size_t>(entry.type)]);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const uint32_t bits = entry.mode >> shift & 7U;
    out += (bits & 4U) != 0 ? 'r' : '-';
    out += (bits & 2U) != 0 ? 'w' : '-';
    const bool runs = (bits & 1U) != 0;
    const bool special = (entry.mode & (shift == 6 ? 04000U : shift == 3 ? 02000U : 01000U)) != 0;
    const char letter = shift == 0 ? 't' : 's';
    out += special ? (runs ? letter : static_cast<char>(letter - 'a' + 'A')) : runs ? 'x' : '-';
  }
  return out;
}

/// Prints entries; one form for people, one for programs.
class Lister {
 public:
  Lister(Context& context, base::JsonWriter* json) : context_(context), json_(json) {}

  void entry(const TreeEntry& entry, const std::string& path) {
    json_ == nullptr ? print(entry, path) : write(entry, path);
  }
  void problem(const std::string& path, const base::Error& error) {
    ++problems_;
    context_.warn(base::escape_for_terminal(path) +
                  ": its names are lost: " + base::escape_controls(error.message));
  }
  [[nodiscard]] uint64_t problems() const { return problems_; }

 private:
  void print(const TreeEntry& entry, const std::string& path) {
    const auto padded = [](const std::string& text, size_t width, bool right) {
      const std::string fill(text.size() < width ? width - text.size() : 0, ' ');
      return right ? fill + text : text + fill;
    };
    const std::string size =
        entry.type == FileType::kCharacterDevice || entry.type == FileType::kBlockDevice
            ? std::to_string(entry.major) + "," + std::to_string(entry.minor)
            : std::to_string(entry.size);
    const auto owner = [](const std::string& name, uint32_t number) {
      return name.empty() ? std::to_string(number) : base::escape_for_terminal(name);
    };
    context_.out << mode_text(entry) << " " << padded(owner(entry.user, entry.uid), 8, false) << " "
                 << padded(owner(entry.group, entry.gid), 8, false) << " " << padded(size, 10, true)
                 << " " << ports::local_time_text(entry.modified.seconds * kMicroseconds, 0) << " "
                 << base::escape_for_terminal(path);
    if (entry.type == FileType::kSymlink)
      context_.out << " -> " << base::escape_for_terminal(entry.target);
    context_.out << "\n";
  }
  void write(const TreeEntry& entry, const std::string& path) {
    base::JsonWriter& json = *json_;
    json.begin_object().field("path", path).field("type", type_name(entry.type));
    json.field("mode", entry.mode).field("uid", entry.uid).field("gid", entry.gid);
    const auto owner = [&](const char* name, const std::string& text) {
      json.key(name);
      text.empty() ? json.null() : json.string(text);
    };
    owner("user", entry.user);
    owner("group", entry.group);
    json.field("mtime_s", entry.modified.seconds).field("mtime_ns", entry.modified.nanoseconds);
    json.field("inode", entry.inode).field("links", entry.links).field("flags", entry.flags);
    json.key("size");
    entry.type == FileType::kFile ? json.number_unsigned(entry.size) : json.null();
    uint64_t holes = 0;
    for (const model::Hole& hole : entry.holes) holes += hole.length;
    json.field("hole_bytes", holes);
    json.key("target");
    entry.type == FileType::kSymlink ? json.string(entry.target) : json.null();
    json.key("attributes").begin_array();
    for (const model::Attribute& attribute : entry.attributes) json.string(attribute.name);
    json.end_array().end_object();
  }

  Context& context_;
  base::JsonWriter* json_;
  uint64_t problems_ = 0;
};

class Walk {
 public:
  Walk(repo::ChunkReader& reader, const LsOptions& options, std::vector<std::string> paths,
       Lister& lister)
      : reader_(reader),
        recursive_(options.recursive),
        paths_(std::move(paths)),
        filter_(paths_),
        lister_(lister) {}

  void listing(const model::ChunkId& id, const std::string& path, format::ListingKind kind) {
    const auto entries = backup::read_listing(reader_, id, kind);
    if (!entries) return lister_.problem(path, entries.error());
    for (const TreeEntry& entry : *entries) {
      visit(entry,
            kind == format::ListingKind::kRoots ? entry.name : backup::join_path(path, entry.name));
    }
  }
  [[nodiscard]] bool found() const { return found_; }

 private:
  void visit(const TreeEntry& entry, const std::string& path) {
    if (!filter_.leads_to_selected(path)) return;
    if (filter_.selects(path)) {
      found_ = true;
      lister_.entry(entry, path);
    }
    // Below a path that was named: what is in it; below that, only where all is asked for.
    const bool named = std::ranges::find(paths_, path) != paths_.end();
    const bool enter = recursive_ || named || !filter_.selects(path);
    if (!enter) return;
    for (const model::ChunkId& below : entry.listings)
      listing(below, path, format::ListingKind::kDirectory);
  }

  repo::ChunkReader& reader_;
  const bool recursive_;
  const std::vector<std::string> paths_;
  const backup::PathFilter filter_;
  Lister& lister_;
  bool found_ = false;
};

}  // namespace

int run_ls(const LsOptions& options, Context& context) {
  auto opened = open_repository(options.repository, context);
  if (!opened) return context.fail(opened.error());
  const auto snapshot = find_snapshot(*opened->repository, options.snapshot);
  if (!snapshot) return context.fail(snapshot.error());
  auto reader = repo::ChunkReader::open(*opened->repository);
  if (!reader) return context.fail(reader.error());
  std::vector<std::string> paths;
  for (const std::string& path : options.paths) paths.push_back(backup::absolute_path(path, "/"));
  std::optional<base::JsonWriter> json;
  if (context.json) {
    json.emplace(context.begin_json("ls"));
    json->field("snapshot", model::to_hex(snapshot->name.text())).key("entries").begin_array();
  }
  Lister lister(context, json ? &*json : nullptr);
  Walk walk(**reader, options, std::move(paths), lister);
  walk.listing(snapshot->snapshot.roots, "/", format::ListingKind::kRoots);
  const bool missing = !walk.found() && !options.paths.empty() && lister.problems() == 0;
  if (missing) context.warn("nothing of that is in the snapshot");
  const bool attention = missing || lister.problems() > 0;
  if (json) {
    json->end_array().field("needs_attention", attention);
    Context::end_json(*json);
  }
  return attention ? kAttention : kDone;
}

}  // namespace apps
