#include "backup/restore.h"

#include <algorithm>
#include <atomic>
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

// So many pieces of a file are written by one thread at a time: some MiB, so that few segments are
// wanted by two threads at once.
constexpr size_t kRunPieces = 64;

/// Where the data of a file that has holes belongs in it.
class Layout {
 public:
  explicit Layout(const TreeEntry& entry) : entry_(entry) {
    uint64_t holes = 0;
    for (const model::Hole& hole : entry.holes) {
      data_before_.push_back(hole.offset - holes);
      holes += hole.length;
    }
  }
  /// The first hole that begins behind this byte of the data.
  [[nodiscard]] size_t hole_after(uint64_t data) const {
    return static_cast<size_t>(std::ranges::upper_bound(data_before_, data) - data_before_.begin());
  }
  /// The place in the file of a byte of the data, when `hole` is hole_after() of it.
  [[nodiscard]] uint64_t place(uint64_t data, size_t hole) const {
    if (hole == 0) return data;
    const model::Hole& before = entry_.holes[hole - 1];
    return before.offset + before.length + (data - data_before_[hole - 1]);
  }
  /// How much data follows there without a hole between.
  [[nodiscard]] uint64_t room(uint64_t place, size_t hole) const {
    return (hole < entry_.holes.size() ? entry_.holes[hole].offset : entry_.size) - place;
  }

 private:
  const TreeEntry& entry_;
  std::vector<uint64_t> data_before_;  ///< each hole
};

/// A file whose content is being written, by all threads that have nothing else to do.
struct Filling {
  const TreeEntry& entry;
  const std::string& path;
  TargetFile& file;
  const std::vector<model::Piece> pieces;
  const Layout layout;
  std::vector<uint64_t> run_starts;  ///< in the data
  std::atomic<size_t> next_run = 0;
  std::atomic<bool> failed = false;  ///< and that was told
  size_t helpers = 0;
  std::optional<base::Error> error;  ///< ends the restore

  Filling(const TreeEntry& of, const std::string& at, TargetFile& into,
          std::vector<model::Piece> made_of)
      : entry(of), path(at), file(into), pieces(std::move(made_of)), layout(of) {
    uint64_t data = 0;
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (i % kRunPieces == 0) run_starts.push_back(data);
      data += pieces[i].length;
    }
  }
  [[nodiscard]] bool has_work() const { return next_run < run_starts.size() && !failed; }
};

/// Whether two names with one inode number are of one file: the number of a file that is gone may
/// be given to another while a backup runs.
bool is_one_file(TreeEntry left, const TreeEntry& right) {
  left.name = right.name;
  return left == right;
}

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
  void write_together(Filling& filling);
  void write_runs(Filling& filling);
  /// What is wrong with the content, "" = nothing; an error ends the restore.
  base::Result<std::string> write_run(Filling& filling, size_t run);
  Filling* to_help();

  void discard(const std::string& path, TargetFile& file);
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
    TreeEntry entry;
  };
  std::map<std::pair<uint32_t, uint64_t>, Linked> linked_;

  std::mutex mutex_;  ///< guards all below
  std::condition_variable job_ready_;
  std::condition_variable job_taken_;
  std::condition_variable helper_done_;
  RestoreReport report_;
  std::deque<FileJob> jobs_;
  std::vector<Filling*> fillings_;  ///< large ones that are being written
  size_t at_work_ = 0;              ///< workers with a file
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
  auto pieces = read_pieces(reader_, entry);
  if (!pieces) {
    problem(path, "is left out: its content cannot be found: " + pieces.error().message);
    return false;
  }
  Filling filling(entry, path, file, std::move(*pieces));
  if (filling.run_starts.size() < 2) {
    write_runs(filling);
  } else {
    write_together(filling);
  }
  if (filling.error) return std::unexpected(*filling.error);
  return !filling.failed;
}

/// Others who have nothing to do help.
void Run::write_together(Filling& filling) {
  {
    const std::scoped_lock lock(mutex_);
    fillings_.push_back(&filling);
  }
  job_ready_.notify_all();
  write_runs(filling);
  std::unique_lock lock(mutex_);
  std::erase(fillings_, &filling);
  helper_done_.wait(lock, [&] { return filling.helpers == 0; });
}

void Run::write_runs(Filling& filling) {
  while (!filling.failed) {
    const size_t run = filling.next_run++;
    if (run >= filling.run_starts.size()) return;
    const auto wrong = write_run(filling, run);
    if (wrong && wrong->empty()) continue;
    const bool is_first = !filling.failed.exchange(true);
    if (wrong && is_first) problem(filling.path, "is left out: " + *wrong);
    if (wrong) continue;
    const std::scoped_lock lock(mutex_);
    filling.error = wrong.error();
  }
}

base::Result<std::string> Run::write_run(Filling& filling, size_t run) {
  uint64_t at = filling.run_starts[run];
  const size_t end = std::min(filling.pieces.size(), (run + 1) * kRunPieces);
  for (size_t i = run * kRunPieces; i < end; ++i) {
    const model::Piece& piece = filling.pieces[i];
    const auto chunk = reader_.read(piece.id);
    if (!chunk || chunk->content().size() != piece.length) {
      return "its content from byte " +
             std::to_string(filling.layout.place(at, filling.layout.hole_after(at))) +
             " on: " + (chunk ? "the chunk is not as long as it was" : chunk.error().message);
    }
    std::string_view data = chunk->content();
    while (!data.empty()) {
      const size_t hole = filling.layout.hole_after(at);
      const uint64_t place = filling.layout.place(at, hole);
      const uint64_t room = filling.layout.room(place, hole);
      if (room == 0) return "its content is longer than the file was";
      const std::string_view part = data.substr(0, std::min<uint64_t>(room, data.size()));
      if (const auto written = filling.file.write(place, part); !written) {
        if (written.error().kind == base::ErrorKind::kUnsupported) return written.error().message;
        return std::unexpected(written.error());
      }
      at += part.size();
      data.remove_prefix(part.size());
    }
    count(&RestoreReport::data_bytes, piece.length);
  }
  return "";
}

void Run::discard(const std::string& path, TargetFile& file) {
  if (const auto gone = file.discard(); !gone) {
    problem(path, "is NOT whole and cannot be removed again (" + gone.error().message +
                      "): do not use what stands there");
  }
}

base::Result<bool> Run::fill(const TreeEntry& entry, const std::string& path, TargetFile& file) {
  const auto written = write_data(entry, path, file);
  if (!written || !*written) {
    discard(path, file);
    return written;
  }
  const auto finished = file.finish(entry);
  if (!finished) {
    const bool is_its_own = finished.error().kind == base::ErrorKind::kUnsupported;
    if (is_its_own) problem(path, "is left out: " + finished.error().message);
    discard(path, file);
    if (is_its_own) return false;
    return std::unexpected(finished.error());
  }
  note_unset(path, *finished);
  count(&RestoreReport::files);
  return true;
}

/// A file that somebody else is writing and that has work left.
Filling* Run::to_help() {
  const auto found = std::ranges::find_if(fillings_, &Filling::has_work);
  return found == fillings_.end() ? nullptr : *found;
}

void Run::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    Filling* filling = nullptr;
    job_ready_.wait(lock, [&] {
      filling = to_help();
      // Who is still at work may begin a large file.
      return filling != nullptr || !jobs_.empty() || (ending_ && at_work_ == 0);
    });
    if (filling != nullptr) {
      ++filling->helpers;
      lock.unlock();
      write_runs(*filling);
      lock.lock();
      --filling->helpers;
      helper_done_.notify_all();
      continue;
    }
    if (jobs_.empty()) return;
    FileJob job = std::move(jobs_.front());
    jobs_.pop_front();
    ++at_work_;
    const bool stopped = error_.has_value();
    lock.unlock();
    job_taken_.notify_one();
    base::Result<bool> done = false;
    if (stopped) {
      discard(job.path, *job.file);
    } else {
      done = fill(job.entry, job.path, *job.file);
    }
    job.file.reset();
    lock.lock();
    if (!done && !error_) error_ = done.error();
    if (--at_work_ == 0 && ending_) job_ready_.notify_all();
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
  if (!is_one_file(entry, earlier->second.entry)) {
    // Its number was used again, or it changed, between the two looks of the backup.
    problem(path, "is restored as a file of its own: it was not as " + earlier->second.path +
                      ", of which it may have been another name, when the backup looked");
    return false;
  }
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
                        Linked{.target = std::move(*target), .path = path, .entry = entry});
  }
}

void Run::set_flags_of_linked() {
  for (const auto& [inode, linked] : linked_) {
    const uint32_t flags = linked.entry.flags;
    if (flags != 0 && !target_.set_flags(linked.target, flags)) note_unset(linked.path, {"flags"});
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
    for (size_t i = 0; i < found_.size(); ++i) found_[i] = found_[i] || request_.paths[i] == "/";
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
  if (auto synced = target_.sync(); !synced) return std::unexpected(synced.error());
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
