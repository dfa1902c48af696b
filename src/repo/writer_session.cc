#include "repo/writer_session.h"

#include <algorithm>

#include "base/random.h"
#include "format/pack.h"
#include "repo/mark.h"

namespace repo {
namespace {

// A segment ends early where its table would grow beyond what readers should hold in memory.
constexpr size_t kSegmentReferencesMost = 32768;
// So much is read ahead while packs are written: a segment is a mebibyte.
constexpr size_t kWaitingSegments = 6;
// A pack's directory, of many small chunks.
constexpr size_t kPackEndExpected = 4U << 20;

size_t kind_number(model::ChunkKind kind) { return kind == model::ChunkKind::kData ? 0 : 1; }

}  // namespace

base::Result<std::unique_ptr<WriterSession>> WriterSession::begin(Repository& repository,
                                                                  const WriterOptions& options) {
  auto presence = repository.store().open_session(SessionKind::kWriter);
  if (!presence) return std::unexpected(presence.error());
  auto indexes = IndexSet::load(repository.store(), IndexTrust::kHash);
  if (!indexes) return std::unexpected(indexes.error());
  if (auto noted = (*presence)->note(indexes->session_note()); !noted)
    return std::unexpected(noted.error());
  auto session = std::make_unique<WriterSession>(repository, std::move(*indexes), options);
  session->presence_ = std::move(*presence);
  for (const BlobInfo& object : session->indexes_.unknown_packs()) {
    if (auto taken = session->take_up(object); !taken) return std::unexpected(taken.error());
  }
  if (!session->packs_.empty()) {
    // At once, so that the next one need not, whatever becomes of us.
    if (auto synced = repository.store().barrier(); !synced) return std::unexpected(synced.error());
    if (auto written = session->write_index(); !written) return std::unexpected(written.error());
  }
  return session;
}

WriterSession::WriterSession(Repository& repository, IndexSet indexes, const WriterOptions& options)
    : repository_(repository), indexes_(std::move(indexes)), options_(options) {
  base::fill_random(salt_);
  session_key_ = derive_key(repository.keys().data, base::as_text(salt_), "twinport 1 session");
  for (const auto kind : {model::ChunkKind::kData, model::ChunkKind::kTree}) {
    headers_[kind_number(kind)] = format::encode_pack_header(
        {.kind = kind, .repository = repository.config().repository, .salt = salt_});
  }
  for (unsigned i = 0; i < std::max(1U, options.workers); ++i)
    workers_.emplace_back([this] { work(); });
}

WriterSession::~WriterSession() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
    jobs_.clear();
  }
  job_ready_.notify_all();
}

base::Result<void> WriterSession::take_up(const BlobInfo& object) {
  const auto name = name_of_object(object.name);
  // A pack that a crash tore is garbage, as is one of another key. What is between a sound
  // beginning and a sound end was there before the pack had its name, as it is of packs that an
  // index names.
  const auto outline = read_pack_outline(repository_.store(), *name, object.size);
  if (!outline) return {};
  const auto header = format::decode_pack_header(outline->header);
  if (!header || header->repository != repository_.config().repository) return {};
  // Whoever wrote it may have died before its barrier; ours covers it.
  if (auto kept = repository_.store().keep(object.name); !kept) return kept;
  for (const model::SegmentEntry& segment : outline->segments) {
    for (const model::PackedChunk& chunk : segment.chunks) session_ids_.insert(chunk.id);
  }
  const std::scoped_lock lock(mutex_);
  record(*outline);
  return {};
}

bool WriterSession::has(const model::ChunkId& id) const {
  return session_ids_.contains(id) || indexes_.find(id).has_value();
}

base::Result<model::ChunkId> WriterSession::add(model::ChunkKind kind, std::string_view content,
                                                std::vector<model::ChunkId> references) {
  if (content.size() > format::kChunkLargest || references.size() > format::kChunkReferencesMost) {
    return base::fail(base::ErrorKind::kUnsupported,
                      "one directory entry is larger than a repository takes (8 MiB)");
  }
  const model::ChunkId id = repository_.chunk_id(kind, content, references);
  if (has(id)) return id;
  OpenSegment& segment = open_segment(kind);
  if (!segment.chunks.empty() &&
      (segment.contents.size() + content.size() > repository_.config().sizes.segment ||
       segment.chunks.size() >= format::kSegmentChunksMost ||
       open_references_ + references.size() > kSegmentReferencesMost)) {
    dispatch(kind);
  }
  if (segment.contents.capacity() == 0)
    segment.contents.reserve(repository_.config().sizes.segment);
  segment.contents += content;
  open_references_ += references.size();
  segment.lengths.push_back(static_cast<uint32_t>(content.size()));
  segment.chunks.push_back({.id = id, .references = std::move(references)});
  session_ids_.insert(id);
  added_bytes_ += content.size();
  const std::scoped_lock lock(mutex_);
  if (error_) return std::unexpected(*error_);
  return id;
}

void WriterSession::dispatch(model::ChunkKind kind) {
  Job job{.kind = kind, .segment = std::exchange(open_segment(kind), {})};
  if (kind == model::ChunkKind::kTree) open_references_ = 0;
  std::unique_lock lock(mutex_);
  job_taken_.wait(lock,
                  [&] { return jobs_.size() < workers_.size() + kWaitingSegments || error_; });
  if (error_) return;
  jobs_.push_back(std::move(job));
  lock.unlock();
  job_ready_.notify_one();
}

void WriterSession::work() {
  SegmentMaker maker(session_key_, options_.compression_level);
  std::unique_lock lock(mutex_);
  while (true) {
    job_ready_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++jobs_at_work_;
    const uint64_t counter = next_counter_++;
    lock.unlock();
    job_taken_.notify_one();
    auto sealed = maker.seal(headers_[kind_number(job.kind)], counter, job.segment,
                             [&](std::string_view content, const auto& references) {
                               return repository_.chunk_id(job.kind, content, references);
                             });
    job.segment = {};
    if (sealed) {
      append(job.kind, std::move(*sealed));
    } else {
      set_error(sealed.error());
    }
    lock.lock();
    --jobs_at_work_;
    job_taken_.notify_all();
  }
}

void WriterSession::append(model::ChunkKind kind, SealedSegment sealed) {
  std::optional<OpenPack> full;
  {
    std::unique_lock lock(mutex_);
    const size_t target = repository_.config().sizes.pack;
    // While it waits, another may hand in the full pack.
    pack_written_.wait(lock, [&] {
      const OpenPack& pack = open_pack(kind);
      return pack.segments.empty() || pack.bytes.size() + sealed.bytes.size() <= target ||
             packs_at_writing_ < packs_at_once();
    });
    OpenPack& pack = open_pack(kind);
    if (!pack.segments.empty() && pack.bytes.size() + sealed.bytes.size() > target) {
      full = std::exchange(pack, {});
      ++packs_at_writing_;
    }
    if (pack.segments.empty()) {
      // Memory that is never used is never given; moving a pack that outgrew its place costs twice.
      pack.bytes.reserve(target + kPackEndExpected);
      pack.header = headers_[kind_number(kind)];
      pack.bytes += pack.header;
    }
    sealed.entry.offset = static_cast<uint32_t>(pack.bytes.size());
    pack.bytes += sealed.bytes;
    pack.segments.push_back(std::move(sealed.entry));
  }
  if (!full) return;
  if (auto written = write_pack(std::move(*full)); !written) set_error(written.error());
  {
    const std::scoped_lock lock(mutex_);
    --packs_at_writing_;
  }
  pack_written_.notify_all();
}

/// So many full packs wait for the disk at a time; the rest of the workers go on with the next one.
size_t WriterSession::packs_at_once() const { return std::max(1U, options_.workers / 4); }

base::Result<void> WriterSession::write_pack(OpenPack pack) {
  // It may have waited long for the rest of its pack.
  for (const model::SegmentEntry& segment : pack.segments) {
    if (base::blake3(std::string_view(pack.bytes).substr(segment.offset, segment.stored)) ==
        segment.hash) {
      continue;
    }
    return base::fail(base::ErrorKind::kCorrupt,
                      "a pack changed in memory before it was written; nothing was committed. This "
                      "machine's memory or processor makes mistakes");
  }
  const std::string end = format::encode_pack_end(pack.header, pack.segments);
  pack.bytes += end;
  PackOutline outline;
  outline.place = {.name = {base::blake3(pack.bytes)},
                   .size = static_cast<uint32_t>(pack.bytes.size()),
                   .directory_size = static_cast<uint32_t>(end.size() - format::kPackTrailerSize)};
  outline.segments = std::move(pack.segments);
  if (auto put = repository_.store().put(pack_object(outline.place.name), pack.bytes); !put)
    return put;
  const std::scoped_lock lock(mutex_);
  record(outline);
  stored_bytes_ += pack.bytes.size();
  return {};
}

void WriterSession::record(const PackOutline& outline) {
  const auto number = static_cast<uint32_t>(packs_.size());
  packs_.push_back(outline.place);
  for (const model::SegmentEntry& segment : outline.segments) {
    for (size_t i = 0; i < segment.chunks.size(); ++i) {
      entries_.push_back({.id = segment.chunks[i].id,
                          .pack = number,
                          .offset = segment.offset,
                          .stored = segment.stored,
                          .ordinal = static_cast<uint16_t>(i)});
    }
  }
}

void WriterSession::set_error(const base::Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    if (!error_) error_ = error;
    jobs_.clear();
  }
  job_taken_.notify_all();
}

uint64_t WriterSession::stored_bytes() const {
  const std::scoped_lock lock(mutex_);
  return stored_bytes_;
}

base::Result<void> WriterSession::finish_packs() {
  for (const auto kind : {model::ChunkKind::kData, model::ChunkKind::kTree}) {
    if (!open_segment(kind).chunks.empty()) dispatch(kind);
  }
  {
    std::unique_lock lock(mutex_);
    job_taken_.wait(lock, [&] { return error_ || (jobs_.empty() && jobs_at_work_ == 0); });
    if (error_) return std::unexpected(*error_);
  }
  for (OpenPack& pack : open_packs_) {
    if (pack.segments.empty()) continue;
    if (auto written = write_pack(std::exchange(pack, {})); !written) return written;
  }
  return {};
}

base::Result<void> WriterSession::write_index() {
  if (packs_.empty()) return {};
  const std::string bytes = format::encode_chunk_index(packs_, std::move(entries_));
  entries_.clear();
  packs_.clear();
  // Memory that fails before the hash is made would make a wrong index that nobody can tell.
  const auto index = format::ChunkIndex::open(bytes);
  auto right = index ? index->check() : std::unexpected(index.error());
  if (right) right = compare_with_packs(repository_.store(), *index, true);
  if (!right) {
    return base::fail(
        base::ErrorKind::kCorrupt,
        "the index that was made " + right.error().message +
            "; it was not written. This machine's memory or processor makes mistakes");
  }
  const std::string name = model::to_hex(base::as_text(base::blake3(bytes)));
  return repository_.store().put("indexes/" + name, bytes);
}

/// Nothing was held for us: opens another session, and sees whether all that the snapshot refers to
/// is there, and not condemned by then.
base::Result<void> WriterSession::look_again(const model::ChunkId& roots) {
  BlobStore& store = repository_.store();
  auto presence = store.open_session(SessionKind::kWriter);
  if (!presence) return std::unexpected(presence.error());
  const auto indexes = IndexSet::load(store, IndexTrust::kHash);
  if (!indexes) return std::unexpected(indexes.error());
  if (auto noted = (*presence)->note(indexes->session_note()); !noted) return noted;
  const auto marks = mark(store, *indexes, {&roots, 1}, {.condemned_too = false});
  if (!marks) return std::unexpected(marks.error());
  presence_ = std::move(*presence);
  if (marks->missing == 0) return {};
  return base::fail(base::ErrorKind::kIo,
                    "somebody took this backup for dead and cleared up " +
                        std::to_string(marks->missing) +
                        " chunks that it relies on, so nothing was committed; run it again, and "
                        "leave the files in sessions/ to `twinport repo gc`");
}

base::Result<model::ChunkId> WriterSession::commit(model::Snapshot& snapshot) {
  BlobStore& store = repository_.store();
  if (auto finished = finish_packs(); !finished) return std::unexpected(finished.error());
  if (auto synced = store.barrier(); !synced) return std::unexpected(synced.error());
  if (auto written = write_index(); !written) return std::unexpected(written.error());
  if (auto synced = store.barrier(); !synced) return std::unexpected(synced.error());
  if (!presence_->stands()) {
    if (auto well = look_again(snapshot.roots); !well) return std::unexpected(well.error());
  }
  auto name = repository_.put_snapshot(snapshot);
  if (!name) return name;
  // Whoever takes us for dead lists snapshots after that: either ours was there by then, and what
  // it needs is kept, or we see now that our session is gone.
  if (!presence_->stands()) {
    if (auto well = look_again(snapshot.roots); !well) {
      const std::string object = "snapshots/" + model::to_hex(name->text());
      auto taken_back = store.remove(object);
      if (taken_back) taken_back = store.barrier();
      if (taken_back) return std::unexpected(well.error());
      return base::fail(well.error().kind, well.error().message + "; and " + object +
                                               " of this backup, which is not whole, could not be "
                                               "removed (" +
                                               taken_back.error().message + "): forget it");
    }
  }
  if (auto synced = store.barrier(); !synced) return std::unexpected(synced.error());
  return name;
}

}  // namespace repo
