// FailingStore: a decorator that fails the Nth operation that changes the store, once or for ever
// (as a full disk or a crash does). Any thread.
#pragma once

#include <atomic>

#include "repo/blob_store.h"

namespace testkit {

class FailingStore final : public repo::BlobStore {
 public:
  enum class Mode {
    kOnce,     ///< one operation fails and does nothing
    kForEver,  ///< that one, and all that change anything after it
  };
  /// Operations count from 1; 0 = none fails.
  FailingStore(repo::BlobStore& store, uint64_t nth, Mode mode)
      : store_(store), nth_(nth), mode_(mode) {}

  [[nodiscard]] uint64_t operations() const { return operations_; }

  base::Result<void> put(const std::string& name, std::string_view bytes) override {
    if (fails()) return failure("put", name);
    return store_.put(name, bytes);
  }
  base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) override {
    if (fails()) return failure("put", name);
    return store_.put_if_absent(name, bytes);
  }
  base::Result<std::string> get(const std::string& name, size_t largest) override {
    return store_.get(name, largest);
  }
  base::Result<void> get_range(const std::string& name, uint64_t offset,
                               std::span<char> out) override {
    return store_.get_range(name, offset, out);
  }
  base::Result<repo::BlobView> map(const std::string& name) override { return store_.map(name); }
  base::Result<std::vector<repo::BlobInfo>> list(const std::string& folder) override {
    return store_.list(folder);
  }
  base::Result<void> remove(const std::string& name) override {
    if (fails()) return failure("remove", name);
    return store_.remove(name);
  }
  base::Result<void> keep(const std::string& name) override {
    if (fails()) return failure("keep", name);
    return store_.keep(name);
  }
  base::Result<void> barrier() override {
    if (fails()) return failure("sync", "everything");
    return store_.barrier();
  }
  base::Result<std::unique_ptr<repo::StoreSession>> open_session(repo::SessionKind kind) override {
    return store_.open_session(kind);
  }
  base::Result<std::vector<repo::SessionInfo>> sessions() override { return store_.sessions(); }
  base::Result<std::unique_ptr<repo::StoreLock>> try_lock(const std::string& name) override {
    return store_.try_lock(name);
  }
  base::Result<Leftovers> clear_leftovers() override {
    if (fails()) return failure("clear", "leftovers");
    return store_.clear_leftovers();
  }
  base::Result<void> reserve(uint64_t bytes) override {
    if (fails()) return failure("reserve", "room");
    return store_.reserve(bytes);
  }
  [[nodiscard]] std::string description() const override { return store_.description(); }

 private:
  bool fails() {
    const uint64_t number = ++operations_;
    return nth_ != 0 && (number == nth_ || (mode_ == Mode::kForEver && number > nth_));
  }
  static std::unexpected<base::Error> failure(const char* tried, const std::string& name) {
    return base::fail(base::ErrorKind::kIo,
                      "cannot " + std::string(tried) + " " + name + ": a fault of the test");
  }

  repo::BlobStore& store_;
  const uint64_t nth_;
  const Mode mode_;
  std::atomic<uint64_t> operations_ = 0;
};

}  // namespace testkit
