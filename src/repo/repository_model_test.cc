// A repository against what it should hold: a map in memory. Any sequence of backups, of backups
// that fail, of power failures and of lost indexes leaves exactly the acknowledged snapshots,
// whole.
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "repo/chunk_reader.h"
#include "repo/repository.h"
#include "repo/writer_session.h"
#include "testkit/failing_store.h"
#include "testkit/memory_store.h"

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

  void lose_power(MemoryStore::Loss loss) { store_.lose_power(loss); }

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

  MemoryStore store_;
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

}  // namespace
