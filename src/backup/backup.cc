#include "backup/backup.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include "backup/listing_writer.h"

namespace backup {
namespace {

using model::ChunkId;
using model::ChunkKind;
using model::FileType;
using model::Piece;
using model::TreeEntry;

// A file of more pieces than this lists them elsewhere, so many a list.
constexpr size_t kInlinePiecesMost = 1024;
constexpr size_t kPiecesOfList = 4096;

constexpr size_t kReadSize = 2U << 20;

// Of a file that is in more pieces than this the largest holes are kept, and the others are data:
// a list of all would be larger than a listing may be.
constexpr size_t kHolesMost = 16384;

// A stamp says nothing of what was stored through a mapping since: not before the page was written
// to the disk, for which Linux takes up to 30 and 5 s. Nor does one of a file system that stamps by
// the second (or two), or whose server's clock is behind ours. What was changed so shortly before
// the earlier backup is read again.
constexpr int64_t kStampsSettleS = 60;

// https://bford.info/cachedir/
constexpr const char* kCacheTag = "CACHEDIR.TAG";
constexpr std::string_view kCacheSignature = "Signature: 8a477f597d28d172789f06886806bc55";

/// Entries of one directory of the parent snapshot, asked for in ascending order.
class ParentListing {
 public:
  ParentListing(repo::ChunkReader* reader, std::vector<ChunkId> listings)
      : reader_(reader), listings_(std::move(listings)) {}

  const TreeEntry* find(const std::string& name) {
    while (true) {
      while (next_ < entries_.size() && entries_[next_].name < name) ++next_;
      if (next_ < entries_.size()) return entries_[next_].name == name ? &entries_[next_] : nullptr;
      if (reader_ == nullptr || listing_ == listings_.size()) return nullptr;
      auto entries = read_listing(*reader_, listings_[listing_++], format::ListingKind::kDirectory);
      // What cannot be read of the parent is read from the source again.
      entries_ = entries ? std::move(*entries) : std::vector<TreeEntry>{};
      next_ = 0;
    }
  }

 private:
  repo::ChunkReader* reader_;
  std::vector<ChunkId> listings_;
  size_t listing_ = 0;
  std::vector<TreeEntry> entries_;
  size_t next_ = 0;
};

class Walk {
 public:
  Walk(repo::Repository& repository, repo::WriterSession& session, const BackupRequest& request)
      : session_(session),
        request_(request),
        chunker_(repository.keys().chunker.bytes(), repository.config().sizes),
        largest_chunk_(repository.config().sizes.largest),
        buffer_(kReadSize + largest_chunk_) {}

  /// Files of this snapshot that did not change since are not read.
  void set_parent(repo::ChunkReader& reader, const model::Snapshot& snapshot) {
    parent_reader_ = &reader;
    parent_started_ = snapshot.started;
    auto roots = read_listing(reader, snapshot.roots, format::ListingKind::kRoots);
    if (roots) parent_roots_ = std::move(*roots);
  }

  base::Result<ChunkId> run(Source& source, model::Snapshot& snapshot);
  [[nodiscard]] uint64_t unchanged_files() const { return unchanged_files_; }
  [[nodiscard]] const LeftOut& left_out() const { return left_out_; }

 private:
  using MaybeEntry = base::Result<std::optional<TreeEntry>>;

  MaybeEntry take(DirectoryReader& directory, const std::string& name, const std::string& path,
                  const TreeEntry* parent);
  MaybeEntry take_directory(DirectoryReader& directory, const TreeEntry& seen,
                            const std::string& path, const TreeEntry* parent);
  MaybeEntry take_file(DirectoryReader& directory, TreeEntry seen, const std::string& path,
                       const TreeEntry* parent);
  base::Result<void> read_content(FileReader& file, TreeEntry& entry, const std::string& path);
  base::Result<void> store_pieces(std::vector<Piece> pieces, TreeEntry& entry);
  bool is_unchanged(const TreeEntry& seen, const TreeEntry& parent);
  bool is_left_out(const TreeEntry& seen, const std::string& path);
  bool is_left_out_by_pattern(const std::string& path, bool is_directory);
  base::Result<std::vector<std::string>> names_in(DirectoryReader& directory,
                                                  const TreeEntry& seen);
  std::optional<TreeEntry> problem(const std::string& path, const base::Error& error);
  void tell_unread(const std::string& path, const Unread& unread);

  repo::WriterSession& session_;
  const BackupRequest& request_;
  const Chunker chunker_;
  const size_t largest_chunk_;
  std::vector<char> buffer_;
  repo::ChunkReader* parent_reader_ = nullptr;
  model::Timestamp parent_started_;
  std::vector<TreeEntry> parent_roots_;
  model::Snapshot counts_;
  uint64_t unchanged_files_ = 0;
  LeftOut left_out_;
  std::string root_;          ///< the path asked for that is walked now
  uint32_t root_device_ = 0;  ///< its file system
  /// Files with several names that were read, by file system and inode.
  std::map<std::pair<uint32_t, uint64_t>, TreeEntry> linked_;
};

/// At most kHolesMost of them, by place.
std::vector<model::Hole> largest_holes(std::vector<model::Hole> holes) {
  if (holes.size() <= kHolesMost) return holes;
  std::ranges::nth_element(holes, holes.begin() + kHolesMost, std::ranges::greater{},
                           &model::Hole::length);
  holes.resize(kHolesMost);
  std::ranges::sort(holes, {}, &model::Hole::offset);
  return holes;
}

std::optional<TreeEntry> Walk::problem(const std::string& path, const base::Error& error) {
  ++counts_.incomplete;
  request_.on_problem(path, error.kind == base::ErrorKind::kNotFound
                                ? "vanished, or became something else, while it was backed up"
                                : error.message);
  return std::nullopt;
}

void Walk::tell_unread(const std::string& path, const Unread& unread) {
  for (const std::string& what : unread) {
    ++counts_.incomplete;
    request_.on_problem(path, "is kept without what could not be read of it: " + what);
  }
}

bool Walk::is_unchanged(const TreeEntry& seen, const TreeEntry& parent) {
  if (parent.type != FileType::kFile || parent.size != seen.size ||
      parent.modified != seen.modified || parent.changed != seen.changed ||
      parent.inode != seen.inode) {
    return false;
  }
  if (parent.changed.seconds >= parent_started_.seconds - kStampsSettleS) return false;
  // The parent vouches for the content, not for the store's still having it.
  for (const Piece& piece : parent.pieces) {
    if (!session_.has(piece.id)) return false;
  }
  if (!parent.indirect) return true;
  const auto pieces = read_pieces(*parent_reader_, parent);
  return pieces &&
         std::ranges::all_of(*pieces, [&](const Piece& piece) { return session_.has(piece.id); });
}

bool Walk::is_left_out_by_pattern(const std::string& path, bool is_directory) {
  if (request_.selection.patterns.empty() || path == root_) return false;
  const size_t begin = root_ == "/" ? 1 : root_.size() + 1;
  return request_.selection.patterns.ignores(std::string_view(path).substr(begin), is_directory);
}

bool Walk::is_left_out(const TreeEntry& seen, const std::string& path) {
  if (is_left_out_by_pattern(path, seen.type == FileType::kDirectory)) {
    ++left_out_.by_pattern;
    return true;
  }
  const auto& largest = request_.selection.file_largest;
  if (seen.type != FileType::kFile || !largest || seen.size <= *largest || path == root_)
    return false;
  ++left_out_.too_large;
  return true;
}

bool is_tagged_as_cache(DirectoryReader& directory) {
  const auto tag = directory.open_file(kCacheTag);
  if (!tag) return false;
  std::array<char, kCacheSignature.size()> begin{};
  const auto got = (*tag)->read(0, begin);
  return got && std::string_view(begin.data(), *got) == kCacheSignature;
}

/// Names in a directory that are looked at, in order.
base::Result<std::vector<std::string>> Walk::names_in(DirectoryReader& directory,
                                                      const TreeEntry& seen) {
  if (request_.selection.one_file_system && seen.device != root_device_) {
    ++left_out_.file_systems;
    return {};
  }
  auto names = directory.names();
  if (!names) return names;
  if (request_.selection.exclude_caches && std::ranges::find(*names, kCacheTag) != names->end() &&
      is_tagged_as_cache(directory)) {
    ++left_out_.caches;
    names->assign(1, kCacheTag);
  }
  // A directory that changes while it is read may tell a name twice (POSIX readdir).
  std::ranges::sort(*names);
  names->erase(std::ranges::unique(*names).begin(), names->end());
  return names;
}

Walk::MaybeEntry Walk::take(DirectoryReader& directory, const std::string& name,
                            const std::string& path, const TreeEntry* parent) {
  auto seen = directory.stat(name);
  if (!seen) {
    // Whoever cannot be looked at, as another user's FUSE mount, can be left out by name.
    if (!is_left_out_by_pattern(path, true)) return problem(path, seen.error());
    ++left_out_.by_pattern;
    return std::nullopt;
  }
  if (is_left_out(*seen, path)) return std::nullopt;
  if (seen->type == FileType::kDirectory) return take_directory(directory, *seen, path, parent);
  if (seen->type == FileType::kFile) return take_file(directory, std::move(*seen), path, parent);
  if (auto completed = directory.complete(*seen); !completed)
    return problem(path, completed.error());
  tell_unread(path, directory.unread());
  ++counts_.others;
  return std::move(*seen);
}

Walk::MaybeEntry Walk::take_directory(DirectoryReader& directory, const TreeEntry& seen,
                                      const std::string& path, const TreeEntry* parent) {
  const auto opened = directory.open_directory(seen.name);
  if (!opened) return problem(path, opened.error());
  const DirectoryUse use = (*opened)->use();
  if (use == DirectoryUse::kLeaveOut) return std::nullopt;
  auto entry = (*opened)->look();
  if (!entry) return problem(path, entry.error());
  tell_unread(path, (*opened)->unread());
  auto names = use == DirectoryUse::kEnter ? names_in(**opened, seen) : std::vector<std::string>();
  if (!names) return problem(path, names.error());
  const bool known = parent != nullptr && parent->type == FileType::kDirectory;
  ParentListing before(parent_reader_, known ? parent->listings : std::vector<ChunkId>{});
  ListingWriter listing(session_, [&](const TreeEntry& unfit, const std::string& why) {
    problem(join_path(path, unfit.name), {base::ErrorKind::kUnsupported, why});
  });
  for (const std::string& name : *names) {
    auto child = take(**opened, name, join_path(path, name), before.find(name));
    if (!child) return child;
    if (!*child) continue;
    (*child)->name = name;
    if (auto added = listing.add(std::move(**child)); !added) return std::unexpected(added.error());
  }
  auto listings = listing.finish();
  if (!listings) return std::unexpected(listings.error());
  entry->listings = std::move(*listings);
  ++counts_.directories;
  return std::move(*entry);
}

Walk::MaybeEntry Walk::take_file(DirectoryReader& directory, TreeEntry seen,
                                 const std::string& path, const TreeEntry* parent) {
  const std::pair<uint32_t, uint64_t> inode(seen.device, seen.inode);
  if (seen.links > 1) {
    const auto found = linked_.find(inode);
    if (found != linked_.end() && found->second.changed == seen.changed) {
      ++counts_.files;
      return found->second;
    }
  }
  if (parent != nullptr && is_unchanged(seen, *parent)) {
    seen.flags = parent->flags;
    seen.attributes = parent->attributes;
    seen.holes = parent->holes;
    seen.indirect = parent->indirect;
    seen.pieces = parent->pieces;
    for (const Piece& piece : seen.pieces) counts_.data_bytes += piece.length;
    ++unchanged_files_;
  } else {
    const auto file = directory.open_file(seen.name);
    if (!file) return problem(path, file.error());
    auto entry = (*file)->look();
    if (!entry) return problem(path, entry.error());
    const Unread unread = (*file)->unread();
    tell_unread(path, unread);
    seen = std::move(*entry);
    if (auto read = read_content(**file, seen, path); !read) {
      // What the session says ends the backup; what the file says, this file.
      if (read.error().kind != base::ErrorKind::kUsage) return std::unexpected(read.error());
      return problem(path, {base::ErrorKind::kIo, read.error().message});
    }
    // The next backup looks again, and tells it again.
    if (!unread.empty()) seen.changed = {};
  }
  if (seen.links > 1) linked_[inode] = seen;
  ++counts_.files;
  return seen;
}

/// An error of the file, as opposed to one of the repository, is kUsage here.
base::Result<void> Walk::read_content(FileReader& file, TreeEntry& entry, const std::string& path) {
  const model::Timestamp modified = entry.modified;
  const model::Timestamp changed = entry.changed;
  entry.holes = largest_holes(file.holes(entry.size));
  std::vector<Piece> pieces;
  size_t begin = 0;  // what of the buffer is not cut yet: [begin, end)
  size_t end = 0;
  uint64_t offset = 0;
  size_t hole = 0;
  bool at_end = false;
  const uint64_t size = entry.size;
  while (true) {
    while (!at_end && end - begin < largest_chunk_) {
      if (hole < entry.holes.size() && offset == entry.holes[hole].offset)
        offset += entry.holes[hole++].length;
      const uint64_t data_end = hole < entry.holes.size() ? entry.holes[hole].offset : size;
      if (offset >= size) {
        at_end = true;
        break;
      }
      if (buffer_.size() - end < largest_chunk_) {
        std::memmove(buffer_.data(), buffer_.data() + begin, end - begin);
        end -= begin;
        begin = 0;
      }
      const size_t wanted = std::min<uint64_t>(buffer_.size() - end, data_end - offset);
      const auto got = file.read(offset, std::span(buffer_).subspan(end, wanted));
      if (!got) return base::fail(base::ErrorKind::kUsage, got.error().message);
      end += *got;
      offset += *got;
      at_end = *got < wanted;  // it was cut off while we read
    }
    if (begin == end) break;
    const size_t length = chunker_.cut({buffer_.data() + begin, end - begin});
    const auto id = session_.add(ChunkKind::kData, {buffer_.data() + begin, length});
    if (!id) return std::unexpected(id.error());
    pieces.push_back({.id = *id, .length = length});
    counts_.data_bytes += length;
    begin += length;
  }
  if (offset < size) {
    entry.size = offset;
    std::erase_if(entry.holes, [&](const model::Hole& gone) { return gone.offset >= offset; });
  }
  const auto after = file.stat();
  const bool other_size = offset != size && size != kUnknownSize;
  if (!after || after->modified != modified || after->changed != changed || other_size) {
    ++counts_.incomplete;
    request_.on_problem(path, "changed while it was read; what was stored may mix old and new");
  }
  return store_pieces(std::move(pieces), entry);
}

base::Result<void> Walk::store_pieces(std::vector<Piece> pieces, TreeEntry& entry) {
  entry.indirect = pieces.size() > kInlinePiecesMost;
  if (!entry.indirect) {
    entry.pieces = std::move(pieces);
    return {};
  }
  for (size_t at = 0; at < pieces.size(); at += kPiecesOfList) {
    const auto part = std::span(pieces).subspan(at, std::min(kPiecesOfList, pieces.size() - at));
    format::TreeContent content = format::encode_piece_list(part);
    const auto id = session_.add(ChunkKind::kTree, content.bytes, std::move(content.references));
    if (!id) return std::unexpected(id.error());
    uint64_t length = 0;
    for (const Piece& piece : part) length += piece.length;
    entry.pieces.push_back({.id = *id, .length = length});
  }
  return {};
}

base::Result<ChunkId> Walk::run(Source& source, model::Snapshot& snapshot) {
  const std::set<std::string> paths(request_.paths.begin(), request_.paths.end());
  std::vector<TreeEntry> roots;
  for (const std::string& path : paths) {
    const auto parent_directory = source.open_parent(path);
    if (!parent_directory) return std::unexpected(parent_directory.error());
    const std::string name = path == "/" ? "." : path.substr(path.rfind('/') + 1);
    // A path that was asked for by name and is not there is a mistake, not a file that vanished.
    const auto seen = (*parent_directory)->stat(name);
    if (!seen) {
      return base::fail(seen.error().kind,
                        path + ": " + seen.error().message + "; name paths that exist");
    }
    root_ = path;
    root_device_ = seen->device;
    const auto before = std::ranges::find(parent_roots_, path, &TreeEntry::name);
    auto root =
        take(**parent_directory, name, path, before == parent_roots_.end() ? nullptr : &*before);
    if (!root) return std::unexpected(root.error());
    if (!*root) continue;
    (*root)->name = path;
    roots.push_back(std::move(**root));
  }
  auto content = encode_what_fits(roots, format::ListingKind::kRoots,
                                  [&](const TreeEntry& unfit, const std::string& why) {
                                    problem(unfit.name, {base::ErrorKind::kUnsupported, why});
                                  });
  if (!content) return std::unexpected(content.error());
  if (roots.empty()) {
    return base::fail(base::ErrorKind::kPermission,
                      "nothing of what was asked for could be read, so nothing was backed up");
  }
  snapshot.files = counts_.files;
  snapshot.directories = counts_.directories;
  snapshot.others = counts_.others;
  snapshot.data_bytes = counts_.data_bytes;
  snapshot.incomplete = counts_.incomplete;
  return session_.add(ChunkKind::kTree, content->bytes, std::move(content->references));
}

/// The newest snapshot of the same source.
base::Result<std::optional<model::Snapshot>> find_parent(const repo::Repository& repository,
                                                         const std::array<uint8_t, 16>& source) {
  const auto list = repository.snapshots();
  if (!list) return std::unexpected(list.error());
  std::optional<model::Snapshot> found;
  for (const repo::SnapshotObject& object : list->snapshots) {
    if (object.snapshot.source == source) found = object.snapshot;
  }
  return found;
}

}  // namespace

base::Result<BackupReport> back_up(repo::Repository& repository, Source& source,
                                   const BackupRequest& request) {
  // The session first: what it holds on to must be held before the parent is read.
  auto session = repo::WriterSession::begin(repository, request.writer);
  if (!session) return std::unexpected(session.error());
  for (const std::string& notice : (*session)->notices())
    request.on_problem(repository.store().description(), notice);
  BackupReport report;
  model::Snapshot& snapshot = report.snapshot;
  snapshot.started = source.now();
  snapshot.host = request.host;
  snapshot.user = request.user;
  snapshot.program = request.program;
  snapshot.tags = request.tags;
  snapshot.source = repository.source_of(request.host, request.paths);
  Walk walk(repository, **session, request);
  std::unique_ptr<repo::ChunkReader> parent_reader;
  if (!request.read_all) {
    const auto parent = find_parent(repository, snapshot.source);
    if (!parent) return std::unexpected(parent.error());
    if (*parent) {
      auto reader = repo::ChunkReader::open(repository, 8U << 20);
      if (!reader) return std::unexpected(reader.error());
      parent_reader = std::move(*reader);
      walk.set_parent(*parent_reader, **parent);
      report.had_parent = true;
    }
  }
  const auto roots = walk.run(source, snapshot);
  if (!roots) return std::unexpected(roots.error());
  snapshot.roots = *roots;
  snapshot.finished = source.now();
  snapshot.added_bytes = (*session)->added_bytes();
  snapshot.created_s = request.store_clock_s();
  const auto name = (*session)->commit(snapshot);
  if (!name) return std::unexpected(name.error());
  report.name = *name;
  report.left_out = walk.left_out();
  report.unchanged_files = walk.unchanged_files();
  report.stored_bytes = (*session)->stored_bytes();
  return report;
}

}  // namespace backup
