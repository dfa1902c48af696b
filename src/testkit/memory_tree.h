// A file system in memory: what a backup reads and what a restore makes, by absolute path. Reading
// and making share no state, so that one tree may be backed up and another be restored to. Files
// may be made to change, vanish or fail while they are read. Restoring may use several threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backup/source.h"
#include "backup/target_tree.h"

namespace testkit {

struct MemoryNode {
  model::TreeEntry entry;  ///< without what only a repository knows: pieces, listings
  std::string data;        ///< of a file, holes as zeros

  friend bool operator==(const MemoryNode&, const MemoryNode&) = default;
};

/// By absolute path.
using MemoryTree = std::map<std::string, MemoryNode>;

/// Adds a node and, where they are missing, the directories on the way to it.
inline model::TreeEntry& add_node(MemoryTree& tree, const std::string& path, model::FileType type,
                                  std::string data = {}) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (!tree.contains(path.substr(0, slash)))
      add_node(tree, path.substr(0, slash), model::FileType::kDirectory);
  }
  MemoryNode& node = tree[path];
  node.entry.name = path.substr(path.rfind('/') + 1);
  node.entry.type = type;
  node.entry.mode = type == model::FileType::kDirectory ? 0755 : 0644;
  node.entry.inode = tree.size();
  node.entry.modified = node.entry.changed = {.seconds = 1000, .nanoseconds = 1};
  node.entry.size = type == model::FileType::kFile ? data.size() : 0;
  node.data = std::move(data);
  return node.entry;
}

class MemorySource final : public backup::Source {
 public:
  explicit MemorySource(MemoryTree& tree) : tree_(tree) {}

  /// Called before a file is read from, with its path and where: it may change the tree.
  std::function<void(const std::string& path, uint64_t offset)> before_read;
  /// Of directories that are not entered.
  std::map<std::string, backup::DirectoryUse> uses;
  /// What cannot be read of a path.
  std::map<std::string, backup::Unread> unread;
  bool tells_names_twice = false;
  model::Timestamp clock{.seconds = 2000, .nanoseconds = 0};

  base::Result<std::unique_ptr<backup::DirectoryReader>> open_parent(
      const std::string& path) override {
    return std::make_unique<Directory>(*this, path.substr(0, path.rfind('/')));
  }
  model::Timestamp now() override { return clock; }

 private:
  base::Result<MemoryNode*> find(const std::string& path) {
    const auto found = tree_.find(path);
    if (found == tree_.end()) return base::fail(base::ErrorKind::kNotFound, "is not there");
    return &found->second;
  }
  backup::Unread unread_of(const std::string& path) {
    const auto found = unread.find(path);
    return found == unread.end() ? backup::Unread{} : found->second;
  }
  base::Result<model::TreeEntry> look(const std::string& path) {
    const auto node = find(path);
    if (!node) return std::unexpected(node.error());
    model::TreeEntry entry = (*node)->entry;
    entry.holes.clear();
    return entry;
  }

  class File final : public backup::FileReader {
   public:
    File(MemorySource& source, std::string path) : source_(source), path_(std::move(path)) {}
    base::Result<model::TreeEntry> look() override { return source_.look(path_); }
    base::Result<model::TreeEntry> stat() override { return source_.look(path_); }
    backup::Unread unread() override { return source_.unread_of(path_); }
    std::vector<model::Hole> holes(uint64_t) override {
      const auto node = source_.find(path_);
      return node ? (*node)->entry.holes : std::vector<model::Hole>{};
    }
    base::Result<size_t> read(uint64_t offset, std::span<char> out) override {
      if (source_.before_read) source_.before_read(path_, offset);
      const auto node = source_.find(path_);
      if (!node) return base::fail(base::ErrorKind::kIo, "cannot be read: a fault of the test");
      const std::string& data = (*node)->data;
      if (offset >= data.size()) return 0;
      return data.copy(out.data(), out.size(), offset);
    }

   private:
    MemorySource& source_;
    std::string path_;
  };

  class Directory final : public backup::DirectoryReader {
   public:
    Directory(MemorySource& source, std::string path) : source_(source), path_(std::move(path)) {}
    base::Result<std::vector<std::string>> names() override {
      std::vector<std::string> out;
      for (const auto& [path, node] : source_.tree_) {
        if (path.starts_with(path_ + "/") && path.find('/', path_.size() + 1) == std::string::npos)
          out.push_back(node.entry.name);
      }
      if (source_.tells_names_twice) {
        const std::vector<std::string> once = out;
        out.insert(out.end(), once.begin(), once.end());
      }
      return out;
    }
    base::Result<model::TreeEntry> stat(const std::string& name) override {
      return source_.look(path_ + "/" + name);
    }
    base::Result<void> complete(model::TreeEntry&) override { return {}; }
    base::Result<std::unique_ptr<backup::FileReader>> open_file(const std::string& name) override {
      const auto entry = stat(name);
      if (!entry || entry->type != model::FileType::kFile)
        return base::fail(base::ErrorKind::kNotFound, "is something else by now");
      return std::make_unique<File>(source_, path_ + "/" + name);
    }
    base::Result<std::unique_ptr<backup::DirectoryReader>> open_directory(
        const std::string& name) override {
      const auto entry = stat(name);
      if (!entry || entry->type != model::FileType::kDirectory)
        return base::fail(base::ErrorKind::kNotFound, "is something else by now");
      return std::make_unique<Directory>(source_, path_ + "/" + name);
    }
    base::Result<model::TreeEntry> look() override { return source_.look(path_); }
    backup::Unread unread() override { return source_.unread_of(path_); }
    backup::DirectoryUse use() override {
      const auto other = source_.uses.find(path_);
      return other == source_.uses.end() ? backup::DirectoryUse::kEnter : other->second;
    }

   private:
    MemorySource& source_;
    std::string path_;
  };

  MemoryTree& tree_;
};

/// Makes what is restored in `tree`, whose names are those of the snapshot: "/data/file".
class MemoryTarget final : public backup::TargetDirectory {
 public:
  explicit MemoryTarget(MemoryTree& tree)
      : MemoryTarget(tree, std::make_shared<std::mutex>(), "") {}
  MemoryTarget(MemoryTree& tree, std::shared_ptr<std::mutex> mutex, std::string path)
      : tree_(tree), mutex_(std::move(mutex)), path_(std::move(path)) {}

  base::Result<std::unique_ptr<backup::TargetFile>> make_file(const std::string& name) override {
    if (auto made = make(name); !made) return std::unexpected(made.error());
    return std::make_unique<File>(*this, path_ + "/" + name);
  }
  base::Result<std::unique_ptr<backup::TargetDirectory>> make_directory(
      const std::string& name) override {
    if (auto made = make(name); !made) return std::unexpected(made.error());
    return std::make_unique<MemoryTarget>(tree_, mutex_, path_ + "/" + name);
  }
  base::Result<std::unique_ptr<backup::TargetDirectory>> enter(const std::string& name) override {
    static_cast<void>(make(name));
    return std::make_unique<MemoryTarget>(tree_, mutex_, path_ + "/" + name);
  }
  base::Result<backup::Unset> make_other(const std::string& name,
                                         const model::TreeEntry& entry) override {
    if (auto made = make(name); !made) return std::unexpected(made.error());
    return set(path_ + "/" + name, entry);
  }
  base::Result<backup::LinkTarget> link_target(const std::string&,
                                               const std::string& path) override {
    return backup::LinkTarget{.path = path};
  }
  base::Result<void> make_link(const std::string& name, const backup::LinkTarget& target) override {
    const std::scoped_lock lock(*mutex_);
    const auto earlier = tree_.find("/" + target.path);
    if (earlier == tree_.end()) return base::fail(base::ErrorKind::kNotFound, "is not there");
    MemoryNode node = earlier->second;
    node.entry.name = name;
    tree_[path_ + "/" + name] = std::move(node);
    return {};
  }
  base::Result<void> set_flags(const backup::LinkTarget&, uint32_t) override { return {}; }
  base::Result<backup::Unset> finish(const model::TreeEntry& entry) override {
    return set(path_, entry);
  }
  base::Result<void> sync() override { return {}; }

 private:
  base::Result<void> make(const std::string& name) {
    const std::scoped_lock lock(*mutex_);
    if (!tree_.try_emplace(path_ + "/" + name).second)
      return base::fail(base::ErrorKind::kIo, "is there already");
    return {};
  }
  backup::Unset set(const std::string& path, const model::TreeEntry& entry) {
    const std::scoped_lock lock(*mutex_);
    MemoryNode& node = tree_[path];
    node.entry = entry;
    node.entry.name = path.substr(path.rfind('/') + 1);
    node.entry.pieces.clear();
    node.entry.listings.clear();
    node.entry.indirect = false;
    if (entry.type == model::FileType::kFile) node.data.resize(entry.size);
    return {};
  }

  class File final : public backup::TargetFile {
   public:
    File(MemoryTarget& target, std::string path)
        : tree_(target.tree_), mutex_(target.mutex_), path_(std::move(path)) {}
    base::Result<void> write(uint64_t offset, std::string_view bytes) override {
      const std::scoped_lock lock(*mutex_);
      std::string& data = tree_[path_].data;
      if (data.size() < offset + bytes.size()) data.resize(offset + bytes.size());
      data.replace(offset, bytes.size(), bytes);
      return {};
    }
    base::Result<backup::Unset> finish(const model::TreeEntry& entry) override {
      return MemoryTarget(tree_, mutex_, "").set(path_, entry);
    }
    base::Result<void> discard() override {
      const std::scoped_lock lock(*mutex_);
      tree_.erase(path_);
      return {};
    }

   private:
    MemoryTree& tree_;
    std::shared_ptr<std::mutex> mutex_;
    std::string path_;
  };

  MemoryTree& tree_;
  std::shared_ptr<std::mutex> mutex_;
  std::string path_;
};

}  // namespace testkit
