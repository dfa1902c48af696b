// WatchedStore: a decorator that tells of each operation before it is done, so that a test can do
// something else in between: what another process might do. One thread.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "repo/blob_store.h"

namespace testkit {

class WatchedStore final : public repo::BlobStore {
 public:
  /// Told "put condemned/…", "list snapshots", "sessions" and the like. What it does to the store
  /// below is not told of.
  using Watcher = std::function<void(const std::string& operation)>;
  WatchedStore(repo::BlobStore& store, Watcher watcher)
      : store_(store), watcher_(std::move(watcher)) {}

  base::Result<void> put(const std::string& name, std::string_view bytes) override {
    watcher_("put " + name);
    return store_.put(name, bytes);
  }
  base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) override {
    watcher_("put " + name);
    return store_.put_if_absent(name, bytes);
  }
  base::Result<std::string> get(const std::string& name, size_t largest) override {
    watcher_("get " + name);
    return store_.get(name, largest);
  }
  base::Result<void> get_range(const std::string& name, uint64_t at, std::span<char> out) override {
    watcher_("get " + name);
    return store_.get_range(name, at, out);
  }
  base::Result<repo::BlobView> map(const std::string& name) override {
    watcher_("map " + name);
    return store_.map(name);
  }
  base::Result<std::vector<repo::BlobInfo>> list(const std::string& folder) override {
    watcher_("list " + folder);
    return store_.list(folder);
  }
  base::Result<void> remove(const std::string& name) override {
    watcher_("remove " + name);
    return store_.remove(name);
  }
  base::Result<void> keep(const std::string& name) override {
    watcher_("keep " + name);
    return store_.keep(name);
  }
  base::Result<void> barrier() override {
    watcher_("barrier");
    return store_.barrier();
  }
  base::Result<std::unique_ptr<repo::StoreSession>> open_session(repo::SessionKind kind) override {
    watcher_("open session");
    return store_.open_session(kind);
  }
  base::Result<std::vector<repo::SessionInfo>> sessions() override {
    watcher_("sessions");
    return store_.sessions();
  }
  base::Result<std::unique_ptr<repo::StoreLock>> try_lock(const std::string& name) override {
    watcher_("lock " + name);
    return store_.try_lock(name);
  }
  base::Result<Leftovers> clear_leftovers() override { return store_.clear_leftovers(); }
  base::Result<void> reserve(uint64_t bytes) override { return store_.reserve(bytes); }
  [[nodiscard]] std::string description() const override { return store_.description(); }

 private:
  repo::BlobStore& store_;
  Watcher watcher_;
};

}  // namespace testkit
