// What repo/blob_store.h says, as tests that every store must pass: instantiate
// BlobStoreContract with a factory of empty stores.
#pragma once

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

TEST_P(BlobStoreContract, BarriersHoldAtAnyTime) {
  EXPECT_TRUE(store_.barrier());
  ASSERT_TRUE(store_.put("snapshots/ab", "x"));
  EXPECT_TRUE(store_.barrier());
  EXPECT_TRUE(store_.barrier());
}

}  // namespace testkit
