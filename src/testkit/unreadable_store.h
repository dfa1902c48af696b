// UnreadableStore: a decorator under which one object cannot be read, as on a bad sector or without
// leave to read it. Any thread.
#pragma once

#include <string>
#include <utility>

#include "repo/blob_store.h"

namespace testkit {

class UnreadableStore final : public repo::BlobStore {
 public:
  UnreadableStore(repo::BlobStore& store, std::string object)
      : store_(store), object_(std::move(object)) {}

  base::Result<std::string> get(const std::string& name, size_t largest) override {
    if (name == object_) return failure();
    return store_.get(name, largest);
  }
  base::Result<void> get_range(const std::string& name, uint64_t at, std::span<char> out) override {
    if (name == object_) return failure();
    return store_.get_range(name, at, out);
  }
  base::Result<repo::BlobView> map(const std::string& name) override {
    if (name == object_) return failure();
    return store_.map(name);
  }
  base::Result<void> put(const std::string& name, std::string_view bytes) override {
    return store_.put(name, bytes);
  }
  base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) override {
    return store_.put_if_absent(name, bytes);
  }
  base::Result<std::vector<repo::BlobInfo>> list(const std::string& folder) override {
    return store_.list(folder);
  }
  base::Result<void> remove(const std::string& name) override { return store_.remove(name); }
  base::Result<void> keep(const std::string& name) override { return store_.keep(name); }
  base::Result<void> barrier() override { return store_.barrier(); }
  base::Result<std::unique_ptr<repo::StoreSession>> open_session(repo::SessionKind kind) override {
    return store_.open_session(kind);
  }
  base::Result<std::vector<repo::SessionInfo>> sessions() override { return store_.sessions(); }
  base::Result<std::unique_ptr<repo::StoreLock>> try_lock(const std::string& name) override {
    return store_.try_lock(name);
  }
  base::Result<Leftovers> clear_leftovers() override { return store_.clear_leftovers(); }
  base::Result<void> reserve(uint64_t bytes) override { return store_.reserve(bytes); }
  [[nodiscard]] std::string description() const override { return store_.description(); }

 private:
  std::unexpected<base::Error> failure() const {
    return base::fail(base::ErrorKind::kIo, "cannot read " + object_ + ": a fault of the test");
  }

  repo::BlobStore& store_;
  const std::string object_;
};

}  // namespace testkit
