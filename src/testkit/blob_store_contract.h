// What repo/blob_store.h says, as tests that every store must pass: instantiate
// BlobStoreContract with a factory of empty stores.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "repo/blob_store.h"

namespace testkit {

/// A store and what must live as long.
struct StoreUnderTest {
  std::shared_ptr<void> keeper;
  std::unique_ptr<repo::BlobStore> store;
};

class BlobStoreContract : public testing::TestWithParam<std::function<StoreUnderTest()>> {
 protected:
  StoreUnderTest made_ = GetParam()();
  repo::BlobStore& store_ = *made_.store;
};

TEST_P(BlobStoreContract, GivesBackWhatWasPut) {
  const std::string large(5 << 20, 'x');  // takes another way to disk than a small one
  const std::string odd = large + "tail";
  for (const std::string& bytes : {std::string("hello"), std::string(), large, odd}) {
    ASSERT_TRUE(store_.put("packs/ab/abcd", bytes));
    EXPECT_EQ(store_.get("packs/ab/abcd", odd.size()), bytes);
    const auto view = store_.map("packs/ab/abcd");
    ASSERT_TRUE(view);
    EXPECT_EQ(view->bytes(), bytes);
  }
}

TEST_P(BlobStoreContract, MissingObjectsAreNotFound) {
  std::string out(1, '\0');
  EXPECT_EQ(store_.get("config", 10).error().kind, base::ErrorKind::kNotFound);
  EXPECT_EQ(store_.map("config").error().kind, base::ErrorKind::kNotFound);
  EXPECT_EQ(store_.get_range("packs/ab/abcd", 0, out).error().kind, base::ErrorKind::kNotFound);
  EXPECT_TRUE(store_.remove("config"));
}

TEST_P(BlobStoreContract, ReadsRangesAndRefusesWhatLiesBehindTheEnd) {
  ASSERT_TRUE(store_.put("config", "0123456789"));
  std::string out(4, '\0');
  ASSERT_TRUE(store_.get_range("config", 3, out));
  EXPECT_EQ(out, "3456");
  EXPECT_EQ(store_.get_range("config", 7, out).error().kind, base::ErrorKind::kCorrupt);
  EXPECT_EQ(store_.get_range("config", 11, out).error().kind, base::ErrorKind::kCorrupt);
  EXPECT_EQ(store_.get("config", 9).error().kind, base::ErrorKind::kCorrupt);
}

TEST_P(BlobStoreContract, PutIfAbsentKeepsWhatIsThere) {
  EXPECT_EQ(store_.put_if_absent("config", "first"), true);
  EXPECT_EQ(store_.put_if_absent("config", "second"), false);
  EXPECT_EQ(store_.get("config", 10), "first");
}

TEST_P(BlobStoreContract, OneOfManyThatPutIfAbsentWins) {
  std::atomic<int> won = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (store_.put_if_absent("config", std::to_string(i)).value_or(false)) ++won;
    });
  }
  threads.clear();
  EXPECT_EQ(won, 1);
}

TEST_P(BlobStoreContract, ListsAFolderByName) {
  EXPECT_EQ(store_.list("packs"), std::vector<repo::BlobInfo>{});
  for (const char* name : {"packs/cd/cdef", "packs/ab/abcd", "indexes/ab", "config"})
    ASSERT_TRUE(store_.put(name, "12345"));
  const std::vector<repo::BlobInfo> expected{{"packs/ab/abcd", 5}, {"packs/cd/cdef", 5}};
  EXPECT_EQ(store_.list("packs"), expected);
  ASSERT_TRUE(store_.remove("packs/ab/abcd"));
  EXPECT_EQ(store_.list("packs")->size(), 1U);
}

TEST_P(BlobStoreContract, AViewOutlivesItsObject) {
  ASSERT_TRUE(store_.put("indexes/ab", "old"));
  const auto view = store_.map("indexes/ab");
  ASSERT_TRUE(view);
  ASSERT_TRUE(store_.put("indexes/ab", "new"));
  ASSERT_TRUE(store_.remove("indexes/ab"));
  EXPECT_EQ(view->bytes(), "old");
}

std::vector<std::string> notes_of(repo::BlobStore& store) {
  std::vector<std::string> notes;
  const auto sessions = store.sessions();
  if (!sessions) ADD_FAILURE() << sessions.error().message;
  for (const repo::SessionInfo& session : sessions.value_or(std::vector<repo::SessionInfo>{}))
    notes.push_back(session.note);
  std::ranges::sort(notes);
  return notes;
}

TEST_P(BlobStoreContract, ASessionIsSeenWithItsNoteUntilItEnds) {
  EXPECT_EQ(notes_of(store_), std::vector<std::string>{});
  auto first = store_.open_session(repo::SessionKind::kWriter);
  ASSERT_TRUE(first) << first.error().message;
  auto second = store_.open_session(repo::SessionKind::kReader);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(notes_of(store_), (std::vector<std::string>{"", ""}));
  ASSERT_TRUE((*first)->note("a long note that is replaced"));
  ASSERT_TRUE((*first)->note("seen"));
  EXPECT_TRUE((*first)->stands());
  EXPECT_EQ(notes_of(store_), (std::vector<std::string>{"", "seen"}));
  second->reset();
  EXPECT_EQ(notes_of(store_), std::vector<std::string>{"seen"});
  first->reset();
  EXPECT_EQ(notes_of(store_), std::vector<std::string>{});
}

TEST_P(BlobStoreContract, SessionsAreNoObjects) {
  const auto session = store_.open_session(repo::SessionKind::kWriter);
  ASSERT_TRUE(session);
  for (const char* folder : {"packs", "indexes", "snapshots"})
    EXPECT_TRUE(store_.list(folder)->empty());
}

TEST_P(BlobStoreContract, ALockHasOneHolder) {
  auto held = store_.try_lock("gc");
  ASSERT_TRUE(held);
  ASSERT_NE(*held, nullptr);
  EXPECT_EQ(store_.try_lock("gc").value(), nullptr);
  EXPECT_NE(store_.try_lock("other").value(), nullptr);
  held->reset();
  EXPECT_NE(store_.try_lock("gc").value(), nullptr);
}

TEST_P(BlobStoreContract, OneOfManyThatLockAtOnceHoldsIt) {
  std::atomic<int> held = 0;
  {
    std::vector<std::unique_ptr<repo::StoreLock>> locks(8);
    std::vector<std::jthread> threads;
    for (auto& lock : locks) {
      threads.emplace_back([&] {
        lock = store_.try_lock("gc").value_or(nullptr);
        if (lock) ++held;
      });
    }
    threads.clear();
  }
  EXPECT_EQ(held, 1);
}

TEST_P(BlobStoreContract, SessionsComeAndGoFromManyThreads) {
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 25; ++round) {
          const auto session = store_.open_session(repo::SessionKind::kWriter);
          if (!session || !(*session)->note("x") || !store_.sessions() || !(*session)->stands())
            ++failed;
        }
      });
    }
  }
  EXPECT_EQ(failed, 0) << "one who lives was taken for dead";
  EXPECT_EQ(notes_of(store_), std::vector<std::string>{});
}

TEST_P(BlobStoreContract, RoomCanBeSetAsideAndGivenBack) {
  EXPECT_TRUE(store_.reserve(1 << 20));
  EXPECT_TRUE(store_.reserve(1 << 20));
  EXPECT_TRUE(store_.reserve(0));
  EXPECT_TRUE(store_.reserve(0));
}

TEST_P(BlobStoreContract, BarriersHoldAtAnyTime) {
  EXPECT_TRUE(store_.barrier());
  ASSERT_TRUE(store_.put("snapshots/ab", "x"));
  EXPECT_TRUE(store_.barrier());
  EXPECT_TRUE(store_.barrier());
}

}  // namespace testkit
