#include "host/namespace_tables.h"

#include <algorithm>
#include <atomic>
#include <span>
#include <thread>
#include <tuple>
#include <utility>

#include "base/fd.h"
#include "host/net_namespaces.h"
#include "host/port_policy.h"
#include "host/thread_group.h"

namespace host {
namespace {

/// All or nothing: half a table would be taken for the whole.
base::Result<void> read_here(const TableFunction& read, TablePart& part,
                             model::NetNamespace& space) {
  const size_t socket_count = part.listed.size();
  const size_t ref_count = part.listed_refs.size();
  const size_t detail_count = part.tcp_details.size();
  space.policy = read_port_policy();
  auto result = read(space.inode, part);
  space.tables_read = result.has_value();
  if (!result) {
    part.listed.resize(socket_count);
    part.listed_refs.resize(ref_count);
    part.tcp_details.resize(detail_count);
    space.why = result.error().message;
  }
  return result;
}

base::Result<base::Fd> open_and_enter(const NamespaceRef& ref) {
  auto fd = open_net_namespace(ref);
  if (!fd) return fd;
  if (auto entered = enter_net_namespace(fd->get()); !entered) {
    return std::unexpected(entered.error());
  }
  return fd;
}

model::NetNamespace describe(const NamespaceRef& ref) {
  model::NetNamespace space;
  space.inode = ref.inode;
  space.name = ref.name;
  space.sample_pid = ref.pids.empty() ? 0 : ref.pids.front();
  space.own = ref.own;
  return space;
}

void add_blind_spot(ports::RawInventory& into, std::string sentence) {
  into.report.complete = false;
  into.report.blind_spots.push_back(std::move(sentence));
}

template <class T>
void append(std::vector<T>&& part, std::vector<T>& whole) {
  if (whole.empty()) {
    whole = std::move(part);
  } else {
    whole.insert(whole.end(), part.begin(), part.end());
  }
}

/// Appends the part and moves its references to details behind those that are there already.
void append(TablePart&& part, ports::RawInventory& into) {
  const auto offset = static_cast<int32_t>(into.tcp_details.size());
  into.tcp_details.insert(into.tcp_details.end(), part.tcp_details.begin(), part.tcp_details.end());
  if (offset > 0) {
    for (auto& socket : part.listed) {
      if (socket.detail >= 0) socket.detail += offset;
    }
  }
  append(std::move(part.listed), into.listed);
  append(std::move(part.listed_refs), into.listed_refs);
  if (part.interrupted) {
    add_blind_spot(into,
                   "The socket tables changed during every attempt to read them; sockets may be "
                   "missing or listed twice.");
  }
}

/// Reads namespaces other than our own with a few threads, each of which wanders from one to the
/// next and ends in the last.
class ForeignReader {
 public:
  ForeignReader(std::span<const NamespaceRef> refs, const TableFunction& read)
      : refs_(refs), read_(read), gone_(refs.size(), 0) {
    for (const auto& ref : refs) spaces_.push_back(describe(ref));
  }

  void start() {
    const size_t count =
        std::min<size_t>(refs_.size(), std::clamp(std::thread::hardware_concurrency(), 1U, 4U));
    parts_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      // Threads that do start take the whole work; without any, `finish` says so.
      if (!threads_.start([this, i] { work(parts_[i]); })) break;
    }
  }

  /// Returns the namespaces to which no process led any more; they are not in `into`.
  std::vector<uint32_t> finish(ports::RawInventory& into) {
    threads_.join();
    for (size_t i = next_; i < refs_.size(); ++i) {
      spaces_[i].why = "no thread could be started to enter it; try again on a less busy machine";
    }
    for (auto& part : parts_) append(std::move(part), into);
    std::vector<uint32_t> gone;
    for (size_t i = 0; i < spaces_.size(); ++i) {
      if (gone_[i] != 0) {
        gone.push_back(spaces_[i].inode);
      } else {
        into.namespaces.push_back(std::move(spaces_[i]));
      }
    }
    return gone;
  }

 private:
  void work(TablePart& part) {
    for (;;) {
      const size_t i = next_.fetch_add(1);
      if (i >= refs_.size()) return;
      if (const auto entered = open_and_enter(refs_[i]); !entered) {
        spaces_[i].why = entered.error().message;
        gone_[i] = entered.error().kind == base::ErrorKind::kNotFound ? 1 : 0;
      } else {
        std::ignore = read_here(read_, part, spaces_[i]);  // it notes a failure in the namespace
      }
    }
  }

  std::span<const NamespaceRef> refs_;
  const TableFunction& read_;
  std::vector<model::NetNamespace> spaces_;
  std::vector<TablePart> parts_;
  std::vector<char> gone_;  // not bool: threads write neighbours
  std::atomic<size_t> next_ = 0;
  ThreadGroup threads_;
};

/// "1 (pid 1)", "9 (pids 1, 7, 8, 9 and others)".
std::string hidden_in_words(const NamespaceList& list) {
  std::string pids;
  for (const int32_t pid : list.hidden_pids) {
    pids += (pids.empty() ? "" : ", ") + std::to_string(pid);
  }
  if (list.processes_hidden > list.hidden_pids.size()) pids += " and others";
  return std::to_string(list.processes_hidden) +
         (list.processes_hidden == 1 ? " (pid " : " (pids ") + pids + ")";
}

void report_unread(const NamespaceList& list, ports::RawInventory& into) {
  const auto unread = std::ranges::count(into.namespaces, false, &model::NetNamespace::tables_read);
  if (unread > 0) {
    add_blind_spot(into, "Network namespaces that could not be entered: " + std::to_string(unread) +
                             "; their sockets are not listed.");
  }
  if (list.processes_hidden > 0) {
    add_blind_spot(
        into, "Processes whose network namespace may not be looked up: " + hidden_in_words(list) +
                  "; sockets of namespaces in which only they live are not listed.");
  }
}

void keep_only(const std::vector<uint32_t>& wanted, NamespaceList& list) {
  std::erase_if(list.namespaces, [&](const NamespaceRef& ref) {
    return std::ranges::find(wanted, ref.inode) == wanted.end();
  });
}

/// A namespace ends with its last process, and then there is nothing to tell; but it may have
/// outlived only those processes through which we tried to reach it.
void read_those_that_live_on(const std::vector<uint32_t>& gone, const TableFunction& read,
                             ports::RawInventory& into) {
  auto list = find_net_namespaces();
  if (!list) return add_blind_spot(into, "Namespaces changed meanwhile: " + list.error().message);
  keep_only(gone, *list);
  ForeignReader foreign(list->namespaces, read);
  foreign.start();
  std::ignore = foreign.finish(into);
}

}  // namespace

base::Result<NamespaceList> list_namespaces(bool all_namespaces) {
  if (all_namespaces) return find_net_namespaces();
  auto own = own_net_namespace();
  if (!own) return std::unexpected(own.error());
  NamespaceList list;
  list.namespaces.push_back(std::move(*own));
  return list;
}

base::Result<void> read_each_namespace(bool all_namespaces, const TableFunction& read,
                                       ports::RawInventory& into,
                                       const std::optional<std::vector<uint32_t>>& only) {
  auto list = list_namespaces(all_namespaces);
  if (!list) return std::unexpected(list.error());
  if (only) keep_only(*only, *list);
  return read_listed_namespaces(*list, read, into);
}

base::Result<void> read_listed_namespaces(const NamespaceList& list, const TableFunction& read,
                                          ports::RawInventory& into, unsigned others) {
  const std::span<const NamespaceRef> refs = list.namespaces;
  const bool own_wanted = !refs.empty() && refs.front().own;
  ForeignReader foreign(refs.subspan(own_wanted ? 1 : 0), read);
  const bool own_first = std::thread::hardware_concurrency() <= 1 + others;
  if (!own_first) foreign.start();
  base::Result<void> result;
  if (own_wanted) {
    TablePart part;
    model::NetNamespace own = describe(refs.front());
    result = read_here(read, part, own);
    append(std::move(part), into);
    into.namespaces.push_back(std::move(own));
  }
  if (own_first) foreign.start();
  const std::vector<uint32_t> gone = foreign.finish(into);
  if (!gone.empty()) read_those_that_live_on(gone, read, into);
  if (result) report_unread(list, into);
  return result;
}

base::Result<void> read_one_namespace(int netns_fd, const std::string& name,
                                      const TableFunction& read, ports::RawInventory& into) {
  const auto inode = net_namespace_inode(netns_fd);
  if (!inode) return std::unexpected(inode.error());
  NamespaceRef ref;
  ref.inode = *inode;
  ref.name = name;
  TablePart part;
  model::NetNamespace space = describe(ref);
  const auto entered = run_in_net_namespace(netns_fd, [&] { return read_here(read, part, space); });
  if (!entered) {
    space.why = entered.error().message;
    add_blind_spot(into, "Network namespace " + std::to_string(*inode) +
                             " could not be read: " + space.why + ".");
  }
  append(std::move(part), into);
  into.namespaces.push_back(std::move(space));
  return {};
}

}  // namespace host
