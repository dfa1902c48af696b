#include "host/cgroup_tree.h"

#include <fcntl.h>

#include <cstring>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "format/cgroup_path.h"

namespace host {
namespace {

// Cgroups come and go with services and containers; what is remembered of them must not grow.
constexpr size_t kMostKnown = 4096;

// FILEID_KERNFS of include/linux/exportfs.h: the handle is the number and nothing else.
constexpr int kKernfsHandle = 0xfe;

}  // namespace

base::Result<std::string> find_cgroup_root() {
  auto mounts = base::read_file("/proc/self/mountinfo");
  if (!mounts) return std::unexpected(mounts.error());
  std::string_view rest = *mounts;
  while (!rest.empty()) {
    // 30 23 0:26 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw  (proc(5))
    std::string_view line = base::take_until(rest, '\n');
    const size_t type = line.find(" - cgroup2 ");
    if (type == std::string_view::npos) continue;
    std::string_view root;
    std::string_view mount_point;
    for (int field = 0; field < 5; ++field) {
      root = mount_point;
      mount_point = base::take_word(line);
    }
    if (root == "/") return std::string(mount_point);
  }
  return base::fail(
      base::ErrorKind::kUnsupported,
      "find the root of the cgroup v2 hierarchy: none is mounted (mount it with: mount "
      "-t cgroup2 none /sys/fs/cgroup)");
}

std::string CgroupTree::path_of(uint64_t cgroup_id) {
  if (!opened_) {
    opened_ = true;
    if (auto root = find_cgroup_root()) {
      root_path_ = std::move(*root);
      root_ = base::Fd(::open(root_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  if (!root_.valid()) return {};
  alignas(file_handle) unsigned char bytes[sizeof(file_handle) + sizeof cgroup_id] = {};
  auto* handle = reinterpret_cast<file_handle*>(bytes);
  handle->handle_bytes = sizeof cgroup_id;
  handle->handle_type = kKernfsHandle;
  std::memcpy(handle->f_handle, &cgroup_id, sizeof cgroup_id);
  const base::Fd cgroup(::open_by_handle_at(root_.get(), handle, O_PATH | O_CLOEXEC));
  if (!cgroup.valid()) return {};
  const auto path =
      base::read_link_at(AT_FDCWD, ("/proc/self/fd/" + std::to_string(cgroup.get())).c_str());
  if (!path || !path->starts_with(root_path_)) return {};
  const std::string inside = path->substr(root_path_.size());
  return inside.empty() ? "/" : inside;
}

const model::Placement& CgroupTree::placement(uint64_t cgroup_id) {
  if (known_.size() >= kMostKnown) known_.clear();
  const auto [at, added] = known_.try_emplace(cgroup_id);
  if (added && cgroup_id != 0) {
    if (const std::string path = path_of(cgroup_id); !path.empty()) {
      at->second = format::parse_cgroup("0::" + path + "\n");
    }
  }
  return at->second;
}

}  // namespace host
