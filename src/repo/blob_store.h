// BlobStore: write-once objects under names, wherever they are kept: a directory
// (disk/directory_store.h), memory (testkit/memory_store.h), later an appliance or an object store.
// Names are a few parts of lower-case letters, digits and '-', joined by '/'. All calls may come
// from any thread, at the same time. One contract suite holds all stores to what is said here:
// testkit/blob_store_contract.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace repo {

/// An object in memory, or mapped; good as long as it lives, whatever becomes of the store.
class BlobView {
 public:
  BlobView() = default;
  BlobView(std::string_view bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
  std::shared_ptr<const void> owner_;
};

struct BlobInfo {
  std::string name;
  uint64_t size = 0;

  friend bool operator==(const BlobInfo&, const BlobInfo&) = default;
};

/// Somebody at work in a store: from its making until it goes, or its process dies. A dead owner
/// blocks nobody.
class StoreSession {
 public:
  StoreSession() = default;
  StoreSession(const StoreSession&) = delete;
  StoreSession& operator=(const StoreSession&) = delete;
  virtual ~StoreSession() = default;

  /// What others read of it in sessions(), in place of what it said before ("" at first).
  virtual base::Result<void> note(std::string_view text) = 0;
  /// False once somebody took it for dead: nothing is held for it any more.
  virtual bool stands() = 0;
};

struct SessionInfo {
  std::string name;
  std::string note;
};

/// Held until it goes, or its process dies.
class StoreLock {
 public:
  StoreLock() = default;
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;
  virtual ~StoreLock() = default;
};

enum class SessionKind : uint8_t {
  kWriter,
  kReader,  ///< leaves no trace but itself: where sessions were never kept there is none
};

class BlobStore {
 public:
  BlobStore() = default;
  BlobStore(const BlobStore&) = delete;
  BlobStore& operator=(const BlobStore&) = delete;
  virtual ~BlobStore() = default;

  /// Makes the object, or replaces it, in one step: readers see all of the old or all of the new.
  /// It need not survive a power failure before the next barrier().
  virtual base::Result<void> put(const std::string& name, std::string_view bytes) = 0;
  /// The same where there is none yet; false = there is, and it stays as it was.
  virtual base::Result<bool> put_if_absent(const std::string& name, std::string_view bytes) = 0;
  /// All of it, for small objects; a larger one is kCorrupt, none is kNotFound.
  virtual base::Result<std::string> get(const std::string& name, size_t largest) = 0;
  /// Fills `out` from `offset` on; an object that ends before is kCorrupt.
  virtual base::Result<void> get_range(const std::string& name, uint64_t offset,
                                       std::span<char> out) = 0;
  /// All of it, without reading it now where that can be.
  virtual base::Result<BlobView> map(const std::string& name) = 0;
  /// Objects whose names begin with `folder` and '/', by name. What is being written is not there.
  virtual base::Result<std::vector<BlobInfo>> list(const std::string& folder) = 0;
  /// None there is success.
  virtual base::Result<void> remove(const std::string& name) = 0;
  /// What somebody else put may wait for a barrier that never comes: the next one of ours covers
  /// it, as if we had put it again.
  virtual base::Result<void> keep(const std::string& name) = 0;
  /// Returns when every put() that returned before would survive a power failure. After an error
  /// nothing is known of them: write again, from the source.
  virtual base::Result<void> barrier() = 0;

  /// Shows others that somebody is at work. Two never have the same name.
  virtual base::Result<std::unique_ptr<StoreSession>> open_session(SessionKind kind) = 0;
  /// All whose owners live; what is left of the dead is cleared away. kUnsupported where the store
  /// cannot tell who lives.
  virtual base::Result<std::vector<SessionInfo>> sessions() = 0;
  /// For what one at a time may do; nothing where somebody does it.
  virtual base::Result<std::unique_ptr<StoreLock>> try_lock(const std::string& name) = 0;

  struct Leftovers {
    uint64_t files = 0;
    uint64_t bytes = 0;
  };
  /// Clears away what writers that died left half written.
  virtual base::Result<Leftovers> clear_leftovers() = 0;
  /// Sets room aside so that a full store can be cleared up; 0 gives it back.
  virtual base::Result<void> reserve(uint64_t bytes) = 0;

  /// How errors call the store: "the repository /backup".
  [[nodiscard]] virtual std::string description() const = 0;
};

}  // namespace repo
