// MemoryStore: a BlobStore in memory that knows what a power failure would leave. Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "repo/blob_store.h"

namespace testkit {

class MemoryStore final : public repo::BlobStore {
 public:
  base::Result<void> put(const std::string& name, std::string_view bytes) override {
    const std::scoped_lock lock(mutex_);
    change(name, std::string(bytes));
    return {};
  }
  base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) override {
    const std::scoped_lock lock(mutex_);
    if (objects_.contains(name)) return false;
    change(name, std::string(bytes));
    return true;
  }
  base::Result<std::string> get(const std::string& name, size_t largest) override {
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(name);
    if (found == objects_.end()) return missing(name);
    if (found->second->size() > largest)
      return base::fail(base::ErrorKind::kCorrupt, name + " is too large");
    return *found->second;
  }
  base::Result<void> get_range(const std::string& name, uint64_t offset,
                               std::span<char> out) override {
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(name);
    if (found == objects_.end()) return missing(name);
    if (offset > found->second->size() || out.size() > found->second->size() - offset)
      return base::fail(base::ErrorKind::kCorrupt, name + " is too short");
    found->second->copy(out.data(), out.size(), offset);
    return {};
  }
  base::Result<repo::BlobView> map(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    const auto found = objects_.find(name);
    if (found == objects_.end()) return missing(name);
    return repo::BlobView(*found->second, found->second);
  }
  base::Result<std::vector<repo::BlobInfo>> list(const std::string& folder) override {
    const std::scoped_lock lock(mutex_);
    std::vector<repo::BlobInfo> out;
    for (const auto& [name, bytes] : objects_) {
      if (name.starts_with(folder + "/")) out.push_back({.name = name, .size = bytes->size()});
    }
    return out;
  }
  base::Result<void> remove(const std::string& name) override {
    const std::scoped_lock lock(mutex_);
    change(name, std::nullopt);
    return {};
  }
  /// All that is there waits for the same barrier.
  base::Result<void> keep(const std::string&) override { return {}; }
  base::Result<void> barrier() override {
    const std::scoped_lock lock(mutex_);
    unsynced_.clear();
    return {};
  }
  base::Result<std::unique_ptr<repo::StoreSession>> open_session(repo::SessionKind) override {
    const std::scoped_lock lock(present_->mutex);
    const std::string name = "session-" + std::to_string(present_->next++);
    present_->notes[name] = "";
    return std::make_unique<Session>(present_, name);
  }
  base::Result<std::vector<repo::SessionInfo>> sessions() override {
    const std::scoped_lock lock(present_->mutex);
    std::vector<repo::SessionInfo> out;
    for (const auto& [name, note] : present_->notes) out.push_back({.name = name, .note = note});
    return out;
  }
  base::Result<std::unique_ptr<repo::StoreLock>> try_lock(const std::string& name) override {
    const std::scoped_lock lock(present_->mutex);
    if (!present_->locks.insert(name).second) return nullptr;
    return std::make_unique<Lock>(present_, name);
  }
  base::Result<Leftovers> clear_leftovers() override { return Leftovers{}; }
  base::Result<void> reserve(uint64_t bytes) override {
    const std::scoped_lock lock(mutex_);
    reserved_ = bytes;
    return {};
  }
  [[nodiscard]] uint64_t reserved() {
    const std::scoped_lock lock(mutex_);
    return reserved_;
  }
  [[nodiscard]] std::string description() const override { return "memory"; }

  /// As if all who are at work were taken for dead: their sessions stand no more.
  void forget_sessions() {
    const std::scoped_lock lock(present_->mutex);
    present_->notes.clear();
  }

  /// What a power failure leaves of what no barrier covered.
  enum class Loss { kNothing, kAll, kEverySecond, kTorn };
  void lose_power(Loss loss) {
    const std::scoped_lock lock(mutex_);
    size_t number = 0;
    for (const auto& [name, before] : unsynced_) {
      // What is written over by a whole file under the same name is there before or after, never
      // half: a store syncs a file before it gives it its name.
      const bool lost = loss == Loss::kAll || (loss == Loss::kTorn && before) ||
                        (loss == Loss::kEverySecond && ++number % 2 == 0);
      if (lost) {
        if (before) {
          objects_[name] = before;
        } else {
          objects_.erase(name);
        }
      } else if (const auto found = objects_.find(name);
                 loss == Loss::kTorn && found != objects_.end()) {
        found->second = std::make_shared<const std::string>(
            found->second->substr(0, found->second->size() / 2));
      }
    }
    unsynced_.clear();
  }
  /// The objects' bytes as they are, to damage them.
  void overwrite(const std::string& name, std::string bytes) {
    const std::scoped_lock lock(mutex_);
    objects_[name] = std::make_shared<const std::string>(std::move(bytes));
  }
  std::map<std::string, std::string> objects() {
    const std::scoped_lock lock(mutex_);
    std::map<std::string, std::string> out;
    for (const auto& [name, bytes] : objects_) out[name] = *bytes;
    return out;
  }

 private:
  using Bytes = std::shared_ptr<const std::string>;

  /// Who is at work; outlives the store where they do.
  struct Present {
    std::mutex mutex;
    std::map<std::string, std::string> notes;
    std::set<std::string> locks;
    uint64_t next = 0;
  };
  class Session final : public repo::StoreSession {
   public:
    Session(std::shared_ptr<Present> present, std::string name)
        : present_(std::move(present)), name_(std::move(name)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() override {
      const std::scoped_lock lock(present_->mutex);
      present_->notes.erase(name_);
    }
    base::Result<void> note(std::string_view text) override {
      const std::scoped_lock lock(present_->mutex);
      const auto found = present_->notes.find(name_);
      if (found != present_->notes.end()) found->second = text;
      return {};
    }
    bool stands() override {
      const std::scoped_lock lock(present_->mutex);
      return present_->notes.contains(name_);
    }

   private:
    std::shared_ptr<Present> present_;
    std::string name_;
  };
  class Lock final : public repo::StoreLock {
   public:
    Lock(std::shared_ptr<Present> present, std::string name)
        : present_(std::move(present)), name_(std::move(name)) {}
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() override {
      const std::scoped_lock lock(present_->mutex);
      present_->locks.erase(name_);
    }

   private:
    std::shared_ptr<Present> present_;
    std::string name_;
  };

  void change(const std::string& name, std::optional<std::string> bytes) {
    const auto found = objects_.find(name);
    unsynced_.try_emplace(name, found == objects_.end() ? nullptr : found->second);
    if (bytes) {
      objects_[name] = std::make_shared<const std::string>(std::move(*bytes));
    } else if (found != objects_.end()) {
      objects_.erase(found);
    }
  }
  static std::unexpected<base::Error> missing(const std::string& name) {
    return base::fail(base::ErrorKind::kNotFound, "there is no " + name);
  }

  std::mutex mutex_;
  std::map<std::string, Bytes> objects_;
  std::map<std::string, Bytes> unsynced_;  ///< as they were at the last barrier
  uint64_t reserved_ = 0;
  std::shared_ptr<Present> present_ = std::make_shared<Present>();
};

}  // namespace testkit
