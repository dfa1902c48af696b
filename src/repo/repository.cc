#include "repo/repository.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "base/random.h"
#include "format/byte_stream.h"
#include "format/key_slot.h"
#include "format/repository_config.h"
#include "format/snapshot_record.h"
#include "repo/index_set.h"
#include "repo/seal.h"

namespace repo {
namespace {

constexpr size_t kSmallObject = 4096;
constexpr size_t kSlotsMost = 64;  // each may cost a second and much memory to try

base::Result<void> put_twice(BlobStore& store, const std::string& first, const std::string& second,
                             std::string_view bytes) {
  if (auto put = store.put(second, bytes); !put) return put;
  return store.put(first, bytes);
}

base::Error in(const std::string& object, const base::Error& error) {
  return {error.kind, object + " " + error.message};
}

/// A message that names the object, as those of some stores do already.
std::string in_object(const std::string& object, const std::string& message) {
  return message.contains(object) ? message : object + " " + message;
}

/// All slots of both folders, each once.
base::Result<std::vector<model::KeySlot>> read_slots(BlobStore& store) {
  std::vector<model::KeySlot> slots;
  std::unordered_set<std::string> seen;
  for (const char* folder : {"keys", "key-copies"}) {
    const auto objects = store.list(folder);
    if (!objects) return std::unexpected(objects.error());
    for (const BlobInfo& object : *objects) {
      const auto bytes = store.get(object.name, kSmallObject);
      if (!bytes) continue;
      const auto slot = format::decode_key_slot(*bytes);
      // The other copy may be good, and another slot may be the one that opens.
      if (!slot) continue;
      if (seen.insert(*bytes).second) slots.push_back(*slot);
    }
  }
  // What a stranger made dear is tried last.
  std::ranges::sort(slots, {}, [](const model::KeySlot& slot) {
    return uint64_t{slot.memory_kib} * slot.passes;
  });
  if (slots.size() > kSlotsMost) slots.resize(kSlotsMost);
  return slots;
}

}  // namespace

base::Result<std::string> read_config(BlobStore& store) {
  base::Error error{base::ErrorKind::kNotFound, ""};
  std::optional<std::string> newer;
  for (const char* object : {"config", "config-copy"}) {
    auto bytes = store.get(object, kSmallObject);
    if (bytes) {
      const auto config = format::decode_config(*bytes);
      if (config) return bytes;
      // A bit that flipped is no newer Twinport, so the copy is asked too.
      if (config.error().kind == base::ErrorKind::kUnsupported && !newer) newer = *bytes;
      error = in(object, config.error());
    } else if (bytes.error().kind != base::ErrorKind::kNotFound) {
      error = bytes.error();
    }
  }
  if (newer) return *newer;
  if (error.kind == base::ErrorKind::kNotFound) {
    error.message = "there is no repository in " + store.description() +
                    "; make one with `twinport repo init`, or name another place";
  }
  return std::unexpected(error);
}

base::Result<void> Repository::create(BlobStore& store,
                                      const std::vector<const Credential*>& credentials,
                                      int64_t now_s, const model::ChunkSizes& sizes,
                                      PassphraseCost cost) {
  if (const auto present = read_config(store);
      present || present.error().kind != base::ErrorKind::kNotFound) {
    return base::fail(base::ErrorKind::kUsage, "there is a repository in " + store.description() +
                                                   " already; it was left as it is");
  }
  model::RepositoryConfig config;
  base::fill_random(config.repository);
  config.created_s = now_s;
  config.sizes = sizes;
  const SecretKey key = SecretKey::random();
  for (const Credential* credential : credentials) {
    const bool typed = credential->kind == model::SlotKind::kPassphrase;
    const auto slot = wrap_key(key, *credential, config.repository, now_s,
                               typed ? "passphrase" : "key file", cost);
    if (!slot) return std::unexpected(slot.error());
    const std::string bytes = format::encode_key_slot(*slot);
    const std::string name = model::to_hex(base::as_text(base::blake3(bytes)));
    if (auto put = put_twice(store, "keys/" + name, "key-copies/" + name, bytes); !put) return put;
  }
  // The config last: with it, and only with it, there is a repository.
  if (auto synced = store.barrier(); !synced) return synced;
  const std::string bytes = format::encode_config(config, KeyRing(key).config.bytes());
  const auto put = store.put_if_absent("config", bytes);
  if (!put) return std::unexpected(put.error());
  if (!*put) {
    return base::fail(base::ErrorKind::kUsage,
                      "somebody else made a repository in " + store.description() + " just now");
  }
  if (auto copied = store.put("config-copy", bytes); !copied) return copied;
  return store.barrier();
}

base::Result<std::unique_ptr<Repository>> Repository::open(BlobStore& store,
                                                           const Credential& credential) {
  const auto bytes = read_config(store);
  if (!bytes) return std::unexpected(bytes.error());
  const auto config = format::decode_config(*bytes);
  if (!config) return std::unexpected(in("config", config.error()));
  const auto slots = read_slots(store);
  if (!slots) return std::unexpected(slots.error());
  size_t tried = 0;
  std::optional<base::Error> untried;
  for (const model::KeySlot& slot : *slots) {
    if (slot.kind != credential.kind || slot.repository != config->repository) continue;
    ++tried;
    const auto key = unwrap_key(slot, credential);
    if (!key) {
      if (key.error().kind != base::ErrorKind::kPermission && !untried) untried = key.error();
      continue;
    }
    auto opened = std::make_unique<Repository>(store, *config, *key);
    if (!format::is_genuine_config(*bytes, opened->keys_.config.bytes())) {
      // Its checksum is right, and anybody can make that; the copy may be genuine.
      const auto copy = store.get("config-copy", kSmallObject);
      const auto other = copy
                             ? format::decode_config(*copy)
                             : base::Result<model::RepositoryConfig>(std::unexpected(copy.error()));
      if (other && format::is_genuine_config(*copy, opened->keys_.config.bytes()))
        return std::make_unique<Repository>(store, *other, *key);
      return base::fail(base::ErrorKind::kCorrupt,
                        "the config of " + store.description() +
                            " was not written by anybody who has its key: somebody changed it");
    }
    return opened;
  }
  const bool typed = credential.kind == model::SlotKind::kPassphrase;
  const std::string what = typed ? "passphrase" : "key file";
  if (untried) return std::unexpected(*untried);
  if (tried == 0) {
    return base::fail(base::ErrorKind::kPermission,
                      store.description() + " has no undamaged key slot for a " + what + "; use " +
                          (typed ? "--key-file" : "its passphrase"));
  }
  return base::fail(base::ErrorKind::kPermission,
                    "this " + what + " does not open " + store.description());
}

model::ChunkId Repository::chunk_id(model::ChunkKind kind, std::string_view content,
                                    const std::vector<model::ChunkId>& references) const {
  base::Blake3 hasher(keys_.id.bytes());
  hasher.update(content);
  format::ByteWriter end;
  for (const model::ChunkId& reference : references) end.bytes(reference.bytes);
  end.number(static_cast<uint32_t>(references.size()));
  end.number(static_cast<uint8_t>(kind));
  return {hasher.update(end.view()).finish()};
}

base::Result<model::Snapshot> Repository::open_snapshot(std::string_view bytes) const {
  auto parts = format::decode_snapshot_clear(bytes);
  if (!parts) return std::unexpected(parts.error());
  if (parts->clear.repository != config_.repository)
    return base::fail(base::ErrorKind::kCorrupt, "is of another repository");
  const auto payload =
      Sealer(derive_key(keys_.data, base::as_text(parts->salt), "twinport 1 session"))
          .open(0, parts->binding, parts->sealed);
  if (!payload) return std::unexpected(payload.error());
  if (auto decoded = format::decode_snapshot_payload(*payload, parts->clear); !decoded)
    return std::unexpected(decoded.error());
  return parts->clear;
}

base::Result<SnapshotList> Repository::snapshots() const {
  const auto objects = store_.list("snapshots");
  if (!objects) return std::unexpected(objects.error());
  SnapshotList list;
  for (const BlobInfo& object : *objects) {
    const auto name = name_of_object(object.name);
    const auto bytes = store_.get(object.name, format::kSnapshotLargest);
    if (!bytes && bytes.error().kind == base::ErrorKind::kNotFound)
      continue;  // forgotten meanwhile
    const auto snapshot = bytes ? open_snapshot(*bytes)
                                : base::Result<model::Snapshot>(std::unexpected(bytes.error()));
    // Each seal is good under any name.
    if (snapshot && name && base::blake3(*bytes) == name->bytes) {
      list.snapshots.push_back({.name = *name, .snapshot = *snapshot});
    } else if (!bytes) {
      list.damaged.push_back(in_object(object.name, bytes.error().message));
    } else {
      // A bit that flipped is no newer Twinport; a snapshot of a newer one locks no other away.
      const bool is_whole = name && base::blake3(*bytes) == name->bytes;
      const bool is_newer = !snapshot && snapshot.error().kind == base::ErrorKind::kUnsupported;
      list.damaged.push_back(object.name + " " +
                             (snapshot || (is_newer && !is_whole) ? "is not what its name says"
                                                                  : snapshot.error().message));
    }
  }
  std::ranges::sort(list.snapshots, [](const SnapshotObject& left, const SnapshotObject& right) {
    const auto key = [](const SnapshotObject& object) {
      return std::tuple(object.snapshot.created_s, object.snapshot.started, object.name);
    };
    return key(left) < key(right);
  });
  return list;
}

base::Result<model::ChunkId> Repository::put_snapshot(model::Snapshot& snapshot) {
  snapshot.repository = config_.repository;
  model::Salt salt;
  base::fill_random(salt);
  const std::string clear = format::encode_snapshot_clear(snapshot, salt);
  const std::string bytes =
      clear + Sealer(derive_key(keys_.data, base::as_text(salt), "twinport 1 session"))
                  .seal(0, clear, format::encode_snapshot_payload(snapshot));
  // What was sealed is opened before it counts.
  if (const auto opened = open_snapshot(bytes); !opened || *opened != snapshot) {
    return base::fail(base::ErrorKind::kCorrupt,
                      "the snapshot that was made does not open to what went in; it was not "
                      "written. This machine's memory or processor makes mistakes");
  }
  const model::ChunkId name{base::blake3(bytes)};
  if (auto put = store_.put("snapshots/" + model::to_hex(name.text()), bytes); !put)
    return std::unexpected(put.error());
  return name;
}

std::array<uint8_t, 16> Repository::source_of(std::string_view host,
                                              const std::vector<std::string>& paths) const {
  format::ByteWriter writer;
  writer.raw("source");
  writer.short_text(host);
  for (const std::string& path : paths) writer.short_text(path);
  const base::Hash256 hash = base::blake3(keys_.id.bytes(), writer.view());
  std::array<uint8_t, 16> out;
  std::copy_n(hash.begin(), out.size(), out.begin());
  return out;
}

}  // namespace repo
