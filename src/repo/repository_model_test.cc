// A repository against what it should hold: a map in memory. Any sequence of backups, of backups
// that fail or take long, of forgetting and gc, of power failures and of lost indexes, each also in
// the middle of a gc, leaves exactly the acknowledged snapshots, whole.
#include <deque>
#include <functional>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/blake3.h"
#include "repo/chunk_reader.h"
#include "repo/gc.h"
#include "repo/holds.h"
#include "repo/repository.h"
#include "repo/writer_session.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"
#include "testkit/watched_store.h"

namespace {

using model::ChunkKind;
using testkit::FailingStore;
using testkit::MemoryStore;

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};
constexpr model::ChunkSizes kSmall{
    .smallest = 4096, .average = 4096, .largest = 8192, .segment = 16384, .pack = 65536};

/// A chunk is named by its seed, so that backups share some.
std::string content_of(unsigned seed) {
  std::mt19937 random(seed);
  std::string out(random() % 8192, '\0');
  // Half of them compress.
  const unsigned mask = seed % 2 == 0 ? 0xff : 0x03;
  for (char& byte : out) byte = static_cast<char>(random() & mask);
  return out;
}

class World {
 public:
  World() {
    const repo::Credential credential(model::SlotKind::kPassphrase, "model");
    RC_ASSERT(repo::Repository::create(store_, {&credential}, 1, kSmall, kCheap).has_value());
  }

  /// Backs up chunks; where `fails_at` is not 0 the store fails for ever from that operation on.
  void back_up(const std::vector<unsigned>& seeds, uint64_t fails_at) {
    FailingStore failing(store_, fails_at, FailingStore::Mode::kForEver);
    const auto name = write(failing, seeds);
    if (name) acknowledged_[*name] = seeds;
    if (fails_at == 0) RC_ASSERT(name.has_value());
  }

  /// A backup that is at work while other things happen. Its first half asks for chunks, and is
  /// told of some that they are there.
  void begin_long(const std::vector<unsigned>& seeds) {
    Long begun{.repository = open(store_), .session = nullptr, .seeds = seeds, .ids = {}};
    auto session = repo::WriterSession::begin(*begun.repository);
    RC_ASSERT(session.has_value());
    begun.session = std::move(*session);
    for (size_t i = 0; i < seeds.size() / 2; ++i) add(begun, i);
    at_work_.push_back(std::move(begun));
  }
  void end_long(bool dies) {
    if (at_work_.empty()) return;
    Long ending = std::move(at_work_.front());
    at_work_.pop_front();
    if (dies) return;
    for (size_t i = ending.seeds.size() / 2; i < ending.seeds.size(); ++i) add(ending, i);
    const auto root = ending.session->add(ChunkKind::kTree, "root", ending.ids);
    RC_ASSERT(root.has_value());
    model::Snapshot snapshot;
    snapshot.roots = *root;
    const auto name = ending.session->commit(snapshot);
    RC_ASSERT(name.has_value());
    acknowledged_[*name] = ending.seeds;
  }

  void forget(unsigned which) {
    if (acknowledged_.empty()) return;
    const auto at = std::next(acknowledged_.begin(), which % acknowledged_.size());
    RC_ASSERT(repo::remove_snapshots(store_, {at->first}).has_value());
    acknowledged_.erase(at);
  }

  /// `between` happens before the operation of that number. Where `fails_at` is not 0 the store
  /// fails for ever from that change on.
  void collect(uint64_t fails_at, uint64_t between_at, const std::function<void()>& between) {
    FailingStore failing(store_, fails_at, FailingStore::Mode::kForEver);
    uint64_t operation = 0;
    testkit::WatchedStore watched(failing, [&](const std::string&) {
      if (++operation == between_at) between();
    });
    const auto report = repo::collect_garbage(
        watched, {.dead_percent = 10, .index_entries_most = 30, .small_indexes_most = 1});
    if (fails_at == 0) RC_ASSERT(report.has_value());
  }

  /// Power failures end all that is at work.
  void lose_power(MemoryStore::Loss loss) {
    store_.forget_sessions();
    at_work_.clear();
    store_.lose_power(loss);
    // A snapshot that was torn was never acknowledged; gc waits for `repo repair`.
    for (const repo::BlobInfo& object : store_.list("snapshots").value()) {
      const auto bytes = store_.get(object.name, 1 << 20).value();
      if (base::blake3(bytes) != repo::name_of_object(object.name)->bytes)
        RC_ASSERT(store_.remove(object.name).has_value());
    }
  }

  void lose_indexes() {
    for (const repo::BlobInfo& object : store_.list("indexes").value())
      RC_ASSERT(store_.remove(object.name).has_value());
    RC_ASSERT(store_.barrier().has_value());
  }

  /// Each acknowledged snapshot is there, and each snapshot that can be opened is whole.
  void check() {
    const auto repository = open(store_);
    const auto list = repository->snapshots();
    RC_ASSERT(list.has_value());
    auto reader = repo::ChunkReader::open(*repository, 1 << 16);
    RC_ASSERT(reader.has_value());
    size_t found = 0;
    for (const repo::SnapshotObject& object : list->snapshots) {
      const auto tree = (*reader)->read_tree(object.snapshot.roots);
      RC_ASSERT(tree.has_value());
      std::vector<std::string> contents;
      for (const model::ChunkId& id : tree->references) {
        const auto chunk = (*reader)->read(id);
        RC_ASSERT(chunk.has_value());
        contents.emplace_back(chunk->content());
      }
      const auto known = acknowledged_.find(object.name);
      if (known == acknowledged_.end()) continue;
      ++found;
      RC_ASSERT(contents.size() == known->second.size());
      for (size_t i = 0; i < contents.size(); ++i)
        RC_ASSERT(contents[i] == content_of(known->second[i]));
    }
    RC_ASSERT(found == acknowledged_.size());
  }

 private:
  static std::unique_ptr<repo::Repository> open(repo::BlobStore& store) {
    auto opened =
        repo::Repository::open(store, repo::Credential(model::SlotKind::kPassphrase, "model"));
    RC_ASSERT(opened.has_value());
    return std::move(*opened);
  }

  static base::Result<model::ChunkId> write(repo::BlobStore& store,
                                            const std::vector<unsigned>& seeds) {
    const auto repository = open(store);
    auto session = repo::WriterSession::begin(*repository);
    if (!session) return std::unexpected(session.error());
    std::vector<model::ChunkId> ids;
    for (const unsigned seed : seeds) {
      const auto id = (*session)->add(ChunkKind::kData, content_of(seed));
      if (!id) return id;
      ids.push_back(*id);
    }
    const auto root = (*session)->add(ChunkKind::kTree, "root", ids);
    if (!root) return root;
    model::Snapshot snapshot;
    snapshot.roots = *root;
    return (*session)->commit(snapshot);
  }

  struct Long {
    std::unique_ptr<repo::Repository> repository;
    std::unique_ptr<repo::WriterSession> session;
    std::vector<unsigned> seeds;
    std::vector<model::ChunkId> ids;
  };
  static void add(Long& to, size_t number) {
    const auto id = to.session->add(ChunkKind::kData, content_of(to.seeds[number]));
    RC_ASSERT(id.has_value());
    to.ids.push_back(*id);
  }

  MemoryStore store_;
  std::deque<Long> at_work_;
  std::map<model::ChunkId, std::vector<unsigned>> acknowledged_;
};

RC_GTEST_PROP(RepositoryModel, HoldsExactlyWhatWasAcknowledged, ()) {
  World world;
  const auto steps = *rc::gen::inRange(1, 8);
  for (int step = 0; step < steps; ++step) {
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
      case 1:
        world.back_up(*rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 40U)), 0);
        break;
      case 2:
        world.back_up(*rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 40U)),
                      *rc::gen::inRange<uint64_t>(1, 8));
        break;
      case 3:
        world.lose_power(*rc::gen::element(MemoryStore::Loss::kNothing, MemoryStore::Loss::kAll,
                                           MemoryStore::Loss::kEverySecond,
                                           MemoryStore::Loss::kTorn));
        break;
      default:
        world.lose_indexes();
    }
    world.check();
  }
}

std::vector<unsigned> any_seeds() {
  return *rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 60U));
}

/// Whatever may happen beside a gc.
void any_step(World& world) {
  switch (*rc::gen::inRange(0, 6)) {
    case 0:
      world.back_up(any_seeds(), 0);
      break;
    case 1:
      world.back_up(any_seeds(), *rc::gen::inRange<uint64_t>(1, 8));
      break;
    case 2:
      world.begin_long(any_seeds());
      break;
    case 3:
      world.end_long(*rc::gen::inRange(0, 4) == 0);
      break;
    default:
      world.forget(*rc::gen::inRange(0U, 100U));
  }
}

RC_GTEST_PROP(GcModel, HoldsExactlyWhatWasAcknowledged, ()) {
  World world;
  const auto steps = *rc::gen::inRange(4, 20);
  for (int step = 0; step < steps; ++step) {
    switch (*rc::gen::inRange(0, 8)) {
      case 0:
        world.lose_power(*rc::gen::element(MemoryStore::Loss::kNothing, MemoryStore::Loss::kAll,
                                           MemoryStore::Loss::kEverySecond,
                                           MemoryStore::Loss::kTorn));
        break;
      case 1:
      case 2:
        world.collect(0, *rc::gen::inRange<uint64_t>(1, 120), [&] { any_step(world); });
        break;
      case 3:
        world.collect(*rc::gen::inRange<uint64_t>(1, 20), 0, [] {});
        break;
      default:
        any_step(world);
    }
    world.check();
  }
}

}  // namespace
