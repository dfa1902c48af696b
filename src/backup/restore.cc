#include "backup/restore.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace backup {
namespace {

using model::FileType;
using model::TreeEntry;
using Done = base::Result<void>;  ///< an error ends the restore

// Each is an open file.
constexpr size_t kWaitingFilesMost = 64;

/// A file that has its name and waits for its content.
struct FileJob {
  TreeEntry entry;
  std::string path;
  std::unique_ptr<TargetFile> file;
};

class Run {
 public:
  Run(const RestoreRequest& request, repo::ChunkReader& reader, TargetDirectory& target)
      : request_(request),
        reader_(reader),
        target_(target),
        filter_(request.paths),
        found_(request.paths.size(), false) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { end_workers(); }

  base::Result<RestoreReport> run();

 private:
  Done restore_root(const TreeEntry& root);
  Done restore_entry(const TreeEntry& entry, const std::string& name, const std::string& path,
                     TargetDirectory& in);
  Done restore_directory(const TreeEntry& entry, const std::string& name, const std::string& path,
                         TargetDirectory& in);
  Done restore_children(const TreeEntry& entry, const std::string& path,
                        TargetDirectory& directory);
  Done restore_file(const TreeEntry& entry, const std::string& name, const std::string& path,
                    TargetDirectory& in);
  void restore_other(const TreeEntry& entry, const std::string& name, const std::string& path,
                     TargetDirectory& in);
  /// Whether it became another name of what was restored before.
  bool link_to_earlier(const TreeEntry& entry, const std::string& name, const std::string& path,
                       TargetDirectory& in);
  void remember_link(const TreeEntry& entry, const std::string& name, const std::string& path,
                     TargetDirectory& in);
  void set_flags_of_linked();

  Done enqueue(FileJob job);
  void work();
  void end_workers();
  /// False = it could not be restored, which was told of.
  base::Result<bool> fill(const TreeEntry& entry, const std::string& path, TargetFile& file);
  /// False = a problem, which was told of.
  base::Result<bool> write_data(const TreeEntry& entry, const std::string& path, TargetFile& file);

  void problem(const std::string& path, const std::string& what);
  void note_unset(const std::string& path, const Unset& unset);
  void count(uint64_t RestoreReport::* counter, uint64_t by = 1) {
    const std::scoped_lock lock(mutex_);
    report_.*counter += by;
  }

  const RestoreRequest& request_;
  repo::ChunkReader& reader_;
  TargetDirectory& target_;
  const PathFilter filter_;
  std::vector<bool> found_;
  struct Linked {
    LinkTarget target;
    std::string path;
    uint32_t flags = 0;
  };
  std::map<std::pair<uint32_t, uint64_t>, Linked> linked_;

  std::mutex mutex_;  ///< guards all below
  std::condition_variable job_ready_;
  std::condition_variable job_taken_;
  RestoreReport report_;
  std::deque<FileJob> jobs_;
  bool ending_ = false;
  std::optional<base::Error> error_;
  std::vector<std::jthread> workers_;
};

void Run::problem(const std::string& path, const std::string& what) {
  const std::scoped_lock lock(mutex_);
  ++report_.problems;
  request_.on_problem(path, what);
}

void Run::note_unset(const std::string& path, const Unset& unset) {
  const std::scoped_lock lock(mutex_);
  for (const std::string& what : unset) {
    UnsetCount& count = report_.unset[what];
    if (count.entries++ == 0) count.first_path = path;
  }
}

base::Result<bool> Run::write_data(const TreeEntry& entry, const std::string& path,
                                   TargetFile& file) {
  const auto pieces = read_pieces(reader_, entry);
  if (!pieces) {
    problem(path, "is left out: its content cannot be found: " + pieces.error().message);
    return false;
  }
  uint64_t offset = 0;
  size_t next_hole = 0;
  for (const model::Piece& piece : *pieces) {
    const auto chunk = reader_.read(piece.id);
    if (!chunk || chunk->content().size() != piece.length) {
      problem(path, "is left out: its content from byte " + std::to_string(offset) + " on: " +
                        (chunk ? "the chunk is not as long as it was" : chunk.error().message));
      return false;
    }
    std::string_view data = chunk->content();
    while (!data.empty()) {
      const bool holes_follow = next_hole < entry.holes.size();
      if (holes_follow && entry.holes[next_hole].offset == offset) {
        offset += entry.holes[next_hole++].length;
        continue;
      }
      const uint64_t room = (holes_follow ? entry.holes[next_hole].offset : entry.size) - offset;
      if (room == 0) {
        problem(path, "is left out: its content is longer than the file was");
        return false;
      }
      const std::string_view part = data.substr(0, std::min<uint64_t>(room, data.size()));
      if (const auto written = file.write(offset, part); !written)
        return std::unexpected(written.error());
      offset += part.size();
      data.remove_prefix(part.size());
    }
    count(&RestoreReport::data_bytes, piece.length);
  }
  return true;
}

base::Result<bool> Run::fill(const TreeEntry& entry, const std::string& path, TargetFile& file) {
  const auto written = write_data(entry, path, file);
  if (!written || !*written) {
    file.discard();
    return written;
  }
  const auto finished = file.finish(entry);
  if (!finished) {
    file.discard();
    return std::unexpected(finished.error());
  }
  note_unset(path, *finished);
  count(&RestoreReport::files);
  return true;
}

void Run::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    job_ready_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    FileJob job = std::move(jobs_.front());
    jobs_.pop_front();
    const bool stopped = error_.has_value();
    lock.unlock();
    job_taken_.notify_one();
    base::Result<bool> done = false;
    if (stopped) {
      job.file->discard();
    } else {
      done = fill(job.entry, job.path, *job.file);
    }
    job.file.reset();
    lock.lock();
    if (!done && !error_) error_ = done.error();
  }
}

Done Run::enqueue(FileJob job) {
  std::unique_lock lock(mutex_);
  job_taken_.wait(lock, [&] { return jobs_.size() < kWaitingFilesMost; });
  if (error_) return std::unexpected(*error_);
  jobs_.push_back(std::move(job));
  lock.unlock();
  job_ready_.notify_one();
  return {};
}

void Run::end_workers() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  job_ready_.notify_all();
  workers_.clear();
}

bool Run::link_to_earlier(const TreeEntry& entry, const std::string& name, const std::string& path,
                          TargetDirectory& in) {
  if (entry.links < 2) return false;
  const auto earlier = linked_.find({entry.device, entry.inode});
  if (earlier == linked_.end()) return false;
  const auto linked = in.make_link(name, earlier->second.target);
  // Better a file of its own than none.
  if (!linked)
    problem(path, "is no longer one file with its other names: " + linked.error().message);
  return linked.has_value();
}

void Run::remember_link(const TreeEntry& entry, const std::string& name, const std::string& path,
                        TargetDirectory& in) {
  if (entry.links < 2) return;
  if (auto target = in.link_target(name, path.substr(1))) {
    linked_.try_emplace({entry.device, entry.inode},
                        Linked{.target = std::move(*target), .path = path, .flags = entry.flags});
  }
}

void Run::set_flags_of_linked() {
  for (const auto& [inode, linked] : linked_) {
    if (linked.flags != 0 && !target_.set_flags(linked.target, linked.flags))
      note_unset(linked.path, {"flags"});
  }
}

Done Run::restore_file(const TreeEntry& entry, const std::string& name, const std::string& path,
                       TargetDirectory& in) {
  if (link_to_earlier(entry, name, path, in)) {
    count(&RestoreReport::files);
    return {};
  }
  auto file = in.make_file(name);
  if (!file) {
    problem(path, file.error().message);
    return {};
  }
  if (entry.links < 2) return enqueue({.entry = entry, .path = path, .file = std::move(*file)});
  // A file of several names is filled at once: no name is made of what may be damaged. An immutable
  // file would take no further name, so flags come last.
  TreeEntry without_flags = entry;
  without_flags.flags = 0;
  const auto whole = fill(without_flags, path, **file);
  if (!whole) return std::unexpected(whole.error());
  if (!*whole) return {};
  remember_link(entry, name, path, in);
  return {};
}

void Run::restore_other(const TreeEntry& entry, const std::string& name, const std::string& path,
                        TargetDirectory& in) {
  if (!link_to_earlier(entry, name, path, in)) {
    const auto made = in.make_other(name, entry);
    if (!made) return problem(path, made.error().message);
    note_unset(path, *made);
    remember_link(entry, name, path, in);
  }
  count(&RestoreReport::others);
}

Done Run::restore_children(const TreeEntry& entry, const std::string& path,
                           TargetDirectory& directory) {
  // One listing at a time, so that a damaged one takes nothing with it but what it held.
  for (const model::ChunkId& listing : entry.listings) {
    const auto entries = read_listing(reader_, listing, format::ListingKind::kDirectory);
    if (!entries) {
      problem(path, "has lost names and all that is below them: " + entries.error().message);
      continue;
    }
    for (const TreeEntry& child : *entries) {
      const std::string below = join_path(path, child.name);
      if (const Done done = restore_entry(child, child.name, below, directory); !done) return done;
    }
  }
  return {};
}

Done Run::restore_directory(const TreeEntry& entry, const std::string& name,
                            const std::string& path, TargetDirectory& in) {
  const auto directory = in.make_directory(name);
  if (!directory) {
    problem(path, directory.error().message);
    return {};
  }
  if (const Done done = restore_children(entry, path, **directory); !done) return done;
  const auto finished = (*directory)->finish(entry);
  if (!finished) {
    problem(path, finished.error().message);
    return {};
  }
  note_unset(path, *finished);
  count(&RestoreReport::directories);
  return {};
}

Done Run::restore_entry(const TreeEntry& entry, const std::string& name, const std::string& path,
                        TargetDirectory& in) {
  const bool is_directory = entry.type == FileType::kDirectory;
  if (!filter_.selects(path) && !(is_directory && filter_.leads_to_selected(path))) return {};
  for (size_t i = 0; i < found_.size(); ++i) found_[i] = found_[i] || path == request_.paths[i];
  if (is_directory) return restore_directory(entry, name, path, in);
  if (entry.type == FileType::kFile) return restore_file(entry, name, path, in);
  restore_other(entry, name, path, in);
  return {};
}

Done Run::restore_root(const TreeEntry& root) {
  if (root.name == "/") {
    if (root.type != FileType::kDirectory) return {};
    if (const Done done = restore_children(root, "/", target_); !done) return done;
    const auto finished = target_.finish(root);
    if (!finished) return std::unexpected(finished.error());
    note_unset("/", *finished);
    count(&RestoreReport::directories);
    return {};
  }
  if (!filter_.leads_to_selected(root.name)) return {};
  std::unique_ptr<TargetDirectory> held;
  TargetDirectory* in = &target_;
  std::string_view rest = std::string_view(root.name).substr(1);
  for (size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    auto entered = in->enter(std::string(rest.substr(0, slash)));
    if (!entered) {
      problem(root.name, entered.error().message);
      return {};
    }
    held = std::move(*entered);
    in = held.get();
    rest.remove_prefix(slash + 1);
  }
  // A path above a root names the root too.
  for (size_t i = 0; i < found_.size(); ++i)
    found_[i] = found_[i] || PathFilter({request_.paths[i]}).selects(root.name);
  return restore_entry(root, std::string(rest), root.name, *in);
}

base::Result<RestoreReport> Run::run() {
  const auto roots = read_listing(reader_, request_.roots, format::ListingKind::kRoots);
  if (!roots) return std::unexpected(roots.error());
  for (unsigned i = 0; i < std::max(1U, request_.workers); ++i)
    workers_.emplace_back([this] { work(); });
  for (const TreeEntry& root : *roots) {
    if (const Done done = restore_root(root); !done) return std::unexpected(done.error());
  }
  end_workers();
  set_flags_of_linked();
  if (error_) return std::unexpected(*error_);
  if (!found_.empty() && std::ranges::find(found_, true) == found_.end()) {
    return base::fail(base::ErrorKind::kNotFound,
                      "nothing was restored: " + request_.paths.front() +
                          " is not in the snapshot; `twinport ls` shows what is");
  }
  for (size_t i = 0; i < found_.size(); ++i) {
    if (!found_[i]) problem(request_.paths[i], "is not in the snapshot");
  }
  return std::move(report_);
}

}  // namespace

base::Result<RestoreReport> restore(const RestoreRequest& request, repo::ChunkReader& reader,
                                    TargetDirectory& target) {
  return Run(request, reader, target).run();
}

}  // namespace backup
