#include "host/table_collector.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/text.h"
#include "host/collector.h"
#include "host/diag_collector.h"
#include "host/proc_collector.h"
#include "ports/merge.h"
#include "testkit/private_network.h"
#include "testkit/socket_menagerie.h"

namespace {

using model::Holding;
using model::Socket;

/// A /proc of our own making: what it says of each process is what the test wants it to say.
class FakeProc {
 public:
  FakeProc() {
    std::string pattern = ::testing::TempDir() + "proc.XXXXXX";
    path_ = ::mkdtemp(pattern.data());
    add_process(1, "init");
  }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;
  ~FakeProc() { std::filesystem::remove_all(path_); }

  void add_process(int pid, const std::string& command, uint64_t start_ticks = 500) {
    const std::string directory = path_ + "/" + std::to_string(pid);
    std::filesystem::create_directories(directory + "/fd");
    std::filesystem::create_directories(directory + "/task/" + std::to_string(pid));
    std::ofstream(directory + "/stat")
        << pid << " (" << command << ") S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 "
        << start_ticks << " 0 0\n";
  }
  void add_descriptor(int pid, int fd, const std::string& target) {
    std::filesystem::create_symlink(
        target, path_ + "/" + std::to_string(pid) + "/fd/" + std::to_string(fd));
  }
  void remove_process(int pid) { std::filesystem::remove_all(path_ + "/" + std::to_string(pid)); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Socket socket_with(uint64_t inode, uint64_t cookie, uint16_t port) {
  Socket socket;
  socket.inode = inode;
  socket.cookie = cookie;
  socket.netns = 7;
  socket.local.port = port;
  socket.state = model::SocketState::kListen;
  return socket;
}

/// Tables that hold what the test puts in, and the requests that were made of them.
struct FakeTables {
  std::vector<Socket> sockets;
  std::vector<ports::InventoryRequest> requests;
  bool namespace_gone = false;

  host::ReadTables reader() {
    return [this](const ports::InventoryRequest& request, ports::RawInventory& into,
                  const std::optional<std::vector<uint32_t>>&) -> base::Result<void> {
      requests.push_back(request);
      if (namespace_gone) return {};
      into.listed = sockets;
      model::NetNamespace space;
      space.inode = 7;
      space.tables_read = true;
      into.namespaces.push_back(space);
      return {};
    };
  }
};

host::TableCollector collector_over(FakeTables& tables, const FakeProc& proc) {
  model::CollectorReport report;
  report.kind = model::CollectorKind::kSockDiag;
  report.why = "because";
  report.blind_spots = {"Something."};
  return {std::move(report), tables.reader(), proc.path()};
}

TEST(TableCollector, JoinsTablesAndDescriptors) {
  FakeProc proc;
  proc.add_process(50, "two words) (");
  proc.add_descriptor(50, 3, "socket:[900]");
  proc.add_descriptor(50, 4, "socket:[901]");
  proc.add_descriptor(50, 5, "/dev/null");
  proc.add_descriptor(50, 6, "socket:[");
  FakeTables tables{.sockets = {socket_with(900, 1, 22)}, .requests = {}};
  auto collector = collector_over(tables, proc);
  const auto raw = collector.read({});
  ASSERT_TRUE(raw.has_value()) << raw.error().message;
  ASSERT_EQ(raw->holders.size(), 1U) << "only what is listed is of interest";
  EXPECT_EQ(raw->holders[0].inode, 900U);
  EXPECT_EQ(raw->holders[0].pid, 50);
  EXPECT_EQ(raw->holders[0].fd, 3);
  ASSERT_EQ(raw->seen_processes.size(), 1U);
  EXPECT_EQ(raw->seen_processes[0].command, "two words) (");
  EXPECT_EQ(raw->report.why, "because");
  EXPECT_EQ(raw->report.blind_spots, std::vector<std::string>{"Something."});
  EXPECT_TRUE(raw->report.complete);
  EXPECT_EQ(raw->report.processes_hidden, 0U);
  EXPECT_FALSE(raw->held);
}

TEST(TableCollector, FindsADescriptorThatMovedDuringTheFirstWalk) {
  FakeProc proc;
  proc.add_process(50, "sender");
  proc.add_descriptor(50, 3, "socket:[900]");
  FakeTables tables{.sockets = {socket_with(900, 1, 22), socket_with(901, 2, 23)}, .requests = {}};
  auto collector = collector_over(tables, proc);
  ASSERT_TRUE(collector.read({}).has_value());
  proc.add_process(60, "receiver");
  proc.add_descriptor(60, 9, "socket:[901]");
  std::vector<model::Holder> late;
  const auto evidence = collector.look_again({tables.sockets[1]}, late);
  ASSERT_TRUE(evidence.has_value());
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].inode, 901U);
  EXPECT_EQ(late[0].pid, 60);
}

TEST(TableCollector, TellsASocketThatWentFromOneThatStays) {
  const FakeProc proc;
  const Socket gone = socket_with(900, 1, 22);
  const Socket stays = socket_with(901, 2, 23);
  const Socket replaced = socket_with(902, 3, 24);
  const Socket closed = socket_with(903, 4, 25);
  FakeTables tables{.sockets = {gone, stays, replaced, closed}, .requests = {}};
  auto collector = collector_over(tables, proc);
  ASSERT_TRUE(collector.read({}).has_value());
  // Its inode was given to another socket; and one was closed by its program, which takes the
  // inode.
  tables.sockets = {stays, socket_with(902, 99, 24), socket_with(0, 4, 25)};
  std::vector<model::Holder> late;
  const auto evidence = collector.look_again({gone, stays, replaced, closed}, late);
  ASSERT_TRUE(evidence.has_value());
  ASSERT_EQ(evidence->size(), 4U);
  EXPECT_EQ((*evidence)[0].holding, Holding::kVanished);
  EXPECT_EQ((*evidence)[1].holding, Holding::kUnknown);
  EXPECT_EQ((*evidence)[2].holding, Holding::kVanished);
  EXPECT_EQ((*evidence)[3].holding, Holding::kVanished);
  EXPECT_TRUE(late.empty());
}

TEST(TableCollector, SaysNothingOfANamespaceThatCannotBeReadAgain) {
  const FakeProc proc;
  FakeTables tables{.sockets = {socket_with(900, 1, 22)}, .requests = {}};
  auto collector = collector_over(tables, proc);
  ASSERT_TRUE(collector.read({}).has_value());
  tables.namespace_gone = true;
  std::vector<model::Holder> late;
  const auto evidence = collector.look_again({tables.sockets[0]}, late);
  ASSERT_TRUE(evidence.has_value());
  EXPECT_TRUE(evidence->empty());
}

TEST(TableCollector, ASecondLookIsNarrowButNotTooNarrow) {
  const FakeProc proc;
  FakeTables tables;
  auto collector = collector_over(tables, proc);
  std::vector<model::Holder> late;
  ASSERT_TRUE(
      collector.look_again({socket_with(1, 1, 443), socket_with(2, 2, 80)}, late).has_value());
  EXPECT_EQ(tables.requests.back().ports, (model::PortRange{80, 443}));
  Socket raw = socket_with(3, 3, 1);
  raw.protocol = model::Protocol::kRaw;
  ASSERT_TRUE(collector.look_again({socket_with(1, 1, 443), raw}, late).has_value());
  EXPECT_FALSE(tables.requests.back().ports.has_value());
  const size_t before = tables.requests.size();
  ASSERT_TRUE(collector.look_again({}, late).has_value());
  EXPECT_EQ(tables.requests.size(), before) << "nothing to look at, nothing looked at";
}

TEST(TableCollector, AnIncompleteProcIsNotACompleteReport) {
  FakeProc proc;
  proc.remove_process(1);  // as under the mount option hidepid
  FakeTables tables{.sockets = {socket_with(900, 1, 22)}, .requests = {}};
  auto collector = collector_over(tables, proc);
  const auto raw = collector.read({});
  ASSERT_TRUE(raw.has_value());
  EXPECT_FALSE(raw->report.complete);
  EXPECT_GT(raw->report.processes_hidden, 0U);
  std::vector<model::Holder> late;
  const auto evidence = collector.look_again(tables.sockets, late);
  ASSERT_TRUE(evidence.has_value());
  EXPECT_EQ(evidence->at(0).holding, Holding::kHidden);
}

// The real ones, beside sockets made for them.

using Maker = base::Result<std::unique_ptr<ports::SocketSource>> (*)(std::string);
class LiveCollector : public ::testing::TestWithParam<Maker> {};

base::Fd listener(uint16_t port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (!fd.valid()) return fd;
  if (::bind(fd.get(), generic, sizeof(address)) != 0 || ::listen(fd.get(), 1) != 0) fd.reset();
  return fd;
}

const Socket* find(const model::Inventory& inventory, uint16_t port) {
  const auto at = std::ranges::find_if(
      inventory.sockets, [port](const Socket& socket) { return socket.local.port == port; });
  return at == inventory.sockets.end() ? nullptr : &*at;
}

TEST_P(LiveCollector, NamesTheOwnersOfEveryKindOfSocket) {
  const bool ran = testkit::run_in_private_network([] {
    const testkit::SocketMenagerie menagerie;
    ASSERT_EQ(menagerie.failure(), "");
    auto source = GetParam()("test");
    ASSERT_TRUE(source.has_value()) << source.error().message;
    auto raw = (*source)->read({.all_namespaces = false});
    ASSERT_TRUE(raw.has_value()) << raw.error().message;
    const model::Inventory inventory = ports::merge(std::move(*raw));
    int owned = 0;
    for (const Socket& socket : inventory.sockets) {
      if (socket.inode == 0) {
        EXPECT_EQ(socket.owner_count, 0U);
        EXPECT_NE(socket.holding, Holding::kUnknown) << to_string(socket.local);
        continue;
      }
      ++owned;
      ASSERT_EQ(socket.owner_count, 1U) << to_string(socket.local);
      const auto& owner = inventory.owners_of(socket)[0];
      EXPECT_EQ(inventory.processes.at(owner.process).pid, ::getpid());
      struct stat status{};
      ASSERT_EQ(::fstat(owner.fd, &status), 0);
      EXPECT_EQ(status.st_ino, socket.inode) << to_string(socket.local);
    }
    EXPECT_GT(owned, 20);
  });
  if (!ran) GTEST_SKIP() << "a network namespace of its own takes root";
}

TEST_P(LiveCollector, DoesNotGuessAtASocketThatIsInFlight) {
  const bool ran = testkit::run_in_private_network([] {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const base::Fd sender(ends[0]);
    const base::Fd receiver(ends[1]);
    {
      const base::Fd fd = listener(1743);
      ASSERT_TRUE(fd.valid());
      char byte = 'x';
      iovec data{&byte, 1};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
      msghdr message{};
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      const int number = fd.get();
      std::memcpy(CMSG_DATA(header), &number, sizeof(number));
      ASSERT_EQ(::sendmsg(sender.get(), &message, 0), 1);
    }
    auto source = GetParam()("test");
    ASSERT_TRUE(source.has_value());
    auto raw = (*source)->read({.all_namespaces = false});
    ASSERT_TRUE(raw.has_value());
    const model::Inventory inventory = ports::merge(std::move(*raw));
    const Socket* socket = find(inventory, 1743);
    ASSERT_NE(socket, nullptr);
    EXPECT_EQ(socket->owner_count, 0U);
    std::vector<model::Holder> late;
    const auto evidence = (*source)->look_again({*socket}, late);
    ASSERT_TRUE(evidence.has_value());
    ASSERT_EQ(evidence->size(), 1U);
    // Which of the two depends on whether the machine has processes that hide from us.
    EXPECT_TRUE(evidence->at(0).holding == Holding::kUnknown ||
                evidence->at(0).holding == Holding::kHidden);
    EXPECT_TRUE(late.empty());
  });
  if (!ran) GTEST_SKIP() << "a network namespace of its own takes root";
}

TEST_P(LiveCollector, NoticesThatASocketIsGoneByTheSecondLook) {
  const bool ran = testkit::run_in_private_network([] {
    base::Fd fd = listener(1744);
    ASSERT_TRUE(fd.valid());
    auto source = GetParam()("test");
    ASSERT_TRUE(source.has_value());
    auto raw = (*source)->read({.all_namespaces = false});
    ASSERT_TRUE(raw.has_value());
    const model::Inventory inventory = ports::merge(std::move(*raw));
    const Socket* socket = find(inventory, 1744);
    ASSERT_NE(socket, nullptr);
    EXPECT_EQ(socket->owner_count, 1U);
    fd.reset();
    std::vector<model::Holder> late;
    const auto evidence = (*source)->look_again({*socket}, late);
    ASSERT_TRUE(evidence.has_value());
    EXPECT_EQ(evidence->at(0).holding, Holding::kVanished);
  });
  if (!ran) GTEST_SKIP() << "a network namespace of its own takes root";
}

TEST_P(LiveCollector, IsHonestToAnOrdinaryUser) {
  const base::Fd roots = listener(0);
  ASSERT_TRUE(roots.valid());
  sockaddr_in address{};
  socklen_t length = sizeof(address);
  ASSERT_EQ(::getsockname(roots.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t port = ntohs(address.sin_port);
  const std::string outcome = testkit::run_in_child([&]() -> std::string {
    // What the child inherited from us is its own; only the parent's copy must stay hidden.
    ::close(roots.get());
    if (!testkit::become_nobody()) return "skip";
    auto source = GetParam()("test");
    if (!source) return source.error().message;
    auto raw = (*source)->read({});
    if (!raw) return raw.error().message;
    if (raw->report.complete || raw->report.processes_hidden == 0) return "claims completeness";
    const model::Inventory inventory = ports::merge(std::move(*raw));
    const Socket* socket = find(inventory, port);
    if (socket == nullptr) return "does not list the socket";
    if (socket->owner_count != 0) return "names an owner it cannot know";
    std::vector<model::Holder> late;
    const auto evidence = (*source)->look_again({*socket}, late);
    if (!evidence || evidence->size() != 1) return "cannot look again";
    return std::string(holding_name(evidence->at(0).holding));
  });
  if (outcome == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_EQ(outcome, "hidden");
}

INSTANTIATE_TEST_SUITE_P(OfEitherKind, LiveCollector,
                         ::testing::Values(host::make_diag_collector, host::make_proc_collector),
                         [](const auto& test) {
                           return test.param == host::make_diag_collector ? "SockDiag" : "Proc";
                         });

TEST(Collector, SaysWhyItWasTaken) {
  const auto named = host::make_collector(model::CollectorKind::kSockDiag);
  ASSERT_TRUE(named.has_value()) << named.error().message;
  const auto raw = (*named)->read({.all_namespaces = false});
  ASSERT_TRUE(raw.has_value());
  EXPECT_EQ(raw->report.kind, model::CollectorKind::kSockDiag);
  EXPECT_FALSE(raw->report.why.empty());
  const auto best = host::make_collector();
  ASSERT_TRUE(best.has_value()) << best.error().message;
  EXPECT_FALSE((*best)->read({.all_namespaces = false})->report.why.empty());
}

}  // namespace
