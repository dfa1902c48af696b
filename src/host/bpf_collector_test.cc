// The collector against this machine's own kernel: the test makes sockets and asks who holds them.
// It needs the rights that BPF needs and skips without them.

#include "host/bpf_collector.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "host/bpf_sockets.h"
#include "host/net_namespaces.h"
#include "ports/merge.h"
#include "testkit/fake_process_source.h"

namespace {

using base::Fd;
using model::Holding;
using model::Inventory;
using model::Socket;

sockaddr_in loopback(uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

template <class Address>
int bind_to(int fd, const Address& address) {
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

uint16_t port_of(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // where sin_port is, too
}

uint64_t inode_of(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

Fd open_bound(int type = SOCK_STREAM, int protocol = 0) {
  Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, protocol));
  if (fd.valid() && bind_to(fd.get(), loopback()) != 0) fd.reset();
  return fd;
}

Fd open_listener(int protocol = 0) {
  Fd fd = open_bound(SOCK_STREAM, protocol);
  if (fd.valid() && ::listen(fd.get(), 8) != 0) fd.reset();
  return fd;
}

Fd connect_to(int listener) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port_of(listener));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

Fd accept_from(int listener) { return Fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)); }

/// A descriptor leaves this process but arrives nowhere as long as the pair stands.
std::array<Fd, 2> send_away(Fd fd) {
  std::array<int, 2> pair{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return {};
  std::array<Fd, 2> ends{Fd(pair[0]), Fd(pair[1])};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 'x';
  iovec data{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = fd.get();
  std::copy_n(reinterpret_cast<const char*>(&number), sizeof number,
              reinterpret_cast<char*>(CMSG_DATA(header)));
  return ::sendmsg(ends[0].get(), &message, 0) == 1 ? std::move(ends) : std::array<Fd, 2>{};
}

/// Moves the calling thread to a network namespace of its own, with loopback up.
bool enter_new_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::copy_n("lo", 3, request.ifr_name);
  request.ifr_flags = IFF_UP;
  return ::ioctl(control.get(), SIOCSIFFLAGS, &request) == 0;
}

/// Runs `body` in a child process and answers its exit status: 0 all is well.
int run_in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

struct Owner {
  int pid;
  int tid;
  int fd;
  bool operator==(const Owner&) const = default;
};

class Look {
 public:
  explicit Look(Inventory inventory) : inventory_(std::move(inventory)) {}

  const Socket* find(uint64_t inode) const {
    const auto at = std::ranges::find(inventory_.sockets, inode, &Socket::inode);
    return at == inventory_.sockets.end() ? nullptr : &*at;
  }
  std::vector<Owner> owners(uint64_t inode) const {
    std::vector<Owner> out;
    const Socket* socket = find(inode);
    if (socket == nullptr) return out;
    for (const auto& owner : inventory_.owners_of(*socket)) {
      out.push_back({inventory_.processes[owner.process].pid, owner.tid, owner.fd});
    }
    return out;
  }
  const Inventory& inventory() const { return inventory_; }

 private:
  Inventory inventory_;
};

class BpfCollector : public testing::Test {
 protected:
  void SetUp() override {
    auto source = host::make_bpf_collector("in a test");
    if (!source) GTEST_SKIP() << source.error().message;
    source_ = std::move(*source);
  }

  Look look(const ports::InventoryRequest& request = {}) {
    testkit::FakeProcessSource processes;
    auto inventory = ports::take_inventory(*source_, processes, request);
    EXPECT_TRUE(inventory) << inventory.error().message;
    return Look(inventory ? std::move(*inventory) : Inventory{});
  }

  /// Details of TCP only sock_diag can tell, so with them it lists the sockets, each in full.
  static ports::InventoryRequest with_sock_diag() {
    ports::InventoryRequest request;
    request.tcp_detail = true;
    return request;
  }

  static Owner self(int fd) { return {::getpid(), ::getpid(), fd}; }
  static std::vector<Owner> just(Owner owner) { return {owner}; }

  /// What an unnamed holder is called here: on some machines a process hides itself from root.
  static Holding unnamed() {
    const auto list = host::find_net_namespaces();
    return list && list->processes_hidden > 0 ? Holding::kHidden : Holding::kNoDescriptor;
  }

  std::unique_ptr<ports::SocketSource> source_;
};

TEST_F(BpfCollector, NamesTheHolderOfAListenerAndOfBothEndsOfAConnection) {
  const Fd listener = open_listener();
  const Fd client = connect_to(listener.get());
  const Fd accepted = accept_from(listener.get());
  ASSERT_TRUE(accepted.valid());
  const Look seen = look();
  for (const Fd* fd : {&listener, &client, &accepted}) {
    EXPECT_EQ(seen.owners(inode_of(fd->get())), just(self(fd->get())));
    ASSERT_NE(seen.find(inode_of(fd->get())), nullptr);
    EXPECT_TRUE(seen.find(inode_of(fd->get()))->listed);
  }
  EXPECT_EQ(seen.find(inode_of(listener.get()))->state, model::SocketState::kListen);
  EXPECT_EQ(seen.find(inode_of(client.get()))->remote.port, port_of(listener.get()));
}

TEST_F(BpfCollector, ExplainsAConnectionThatNobodyHasAccepted) {
  const Fd listener = open_listener();
  const Fd client = connect_to(listener.get());
  ASSERT_TRUE(client.valid());
  const Look seen = look();
  const auto& sockets = seen.inventory().sockets;
  const auto waiting = std::ranges::find_if(sockets, [&](const Socket& socket) {
    return socket.local.port == port_of(listener.get()) &&
           socket.remote.port == port_of(client.get());
  });
  ASSERT_NE(waiting, sockets.end());
  EXPECT_EQ(waiting->holding, Holding::kNotAccepted);
  EXPECT_EQ(waiting->owner_count, 0U);
}

TEST_F(BpfCollector, NamesTheHolderOfUdpRawAndDualStackSockets) {
  const Fd udp = open_bound(SOCK_DGRAM);
  const Fd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const Fd dual(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  ASSERT_EQ(bind_to(dual.get(), any), 0);
  ASSERT_EQ(::listen(dual.get(), 1), 0);
  const Look seen = look();
  for (const Fd* fd : {&udp, &raw, &dual}) {
    ASSERT_NE(seen.find(inode_of(fd->get())), nullptr);
    EXPECT_EQ(seen.owners(inode_of(fd->get())), just(self(fd->get())));
  }
  EXPECT_EQ(seen.find(inode_of(udp.get()))->protocol, model::Protocol::kUdp);
  EXPECT_EQ(seen.find(inode_of(raw.get()))->protocol, model::Protocol::kRaw);
  EXPECT_EQ(seen.find(inode_of(dual.get()))->v6only, false);
}

TEST_F(BpfCollector, SeesAPortThatIsBoundAndNothingMore) {
  const Fd bound = open_bound();
  const Look seen = look();
  ASSERT_NE(seen.find(inode_of(bound.get())), nullptr);
  EXPECT_EQ(seen.find(inode_of(bound.get()))->state, model::SocketState::kBoundInactive);
  EXPECT_EQ(seen.find(inode_of(bound.get()))->local.port, port_of(bound.get()));
  EXPECT_EQ(seen.owners(inode_of(bound.get())), just(self(bound.get())));
}

TEST_F(BpfCollector, LeavesOutSocketsWithoutAPort) {
  const Fd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(look().find(inode_of(unbound.get())), nullptr);
}

TEST_F(BpfCollector, GivesATcpListenerToTheHolderOfItsMultipathSocket) {
  const Fd listener = open_listener(IPPROTO_MPTCP);
  if (!listener.valid()) GTEST_SKIP() << "this kernel has no Multipath TCP";
  const Look seen = look();
  ASSERT_NE(seen.find(inode_of(listener.get())), nullptr);
  EXPECT_TRUE(seen.find(inode_of(listener.get()))->mptcp);
  EXPECT_TRUE(seen.find(inode_of(listener.get()))->listed);
  EXPECT_EQ(seen.owners(inode_of(listener.get())), just(self(listener.get())));
}

TEST_F(BpfCollector, NamesEveryProcessThatInheritedADescriptor) {
  const Fd listener = open_listener();
  std::array<int, 2> gate{};
  ASSERT_EQ(::pipe(gate.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate[1]);
    char byte = 0;
    const ssize_t ended = ::read(gate[0], &byte, 1);
    ::_exit(ended == 0 ? 0 : 1);
  }
  const Look seen = look();
  std::vector<Owner> expected{self(listener.get()), {child, child, listener.get()}};
  std::ranges::sort(expected, {}, &Owner::pid);
  EXPECT_EQ(seen.owners(inode_of(listener.get())), expected);
  ::close(gate[1]);
  ::close(gate[0]);
  ::waitpid(child, nullptr, 0);
}

TEST_F(BpfCollector, SaysThatASocketInFlightIsHeldByNoDescriptor) {
  Fd listener = open_listener();
  const uint64_t inode = inode_of(listener.get());
  const std::array<Fd, 2> carrier = send_away(std::move(listener));
  ASSERT_TRUE(carrier[0].valid());
  const Look seen = look();
  ASSERT_NE(seen.find(inode), nullptr);
  EXPECT_EQ(seen.find(inode)->holding, unnamed());
}

TEST_F(BpfCollector, FindsADescriptorThatAppearedSinceTheFirstLook) {
  const Fd listener = open_listener();
  const Fd udp = open_bound(SOCK_DGRAM);
  const Fd bound = open_bound();
  const Fd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const Fd mptcp = open_listener(IPPROTO_MPTCP);
  // The walk of the tables has facts of listeners, and sock_diag of all of them.
  for (const auto& [request, least] :
       {std::pair(ports::InventoryRequest{}, 1U), std::pair(with_sock_diag(), 3U)}) {
    const auto first = source_->read(request);
    ASSERT_TRUE(first) << first.error().message;
    // As if the first look had come too early for all of these.
    std::vector<Socket> questions;
    std::vector<std::pair<uint64_t, int>> expected;
    for (const Fd* fd : {&listener, &udp, &bound, &raw, &mptcp}) {
      const auto at = std::ranges::find(first->listed, inode_of(fd->get()), &Socket::inode);
      if (at == first->listed.end()) continue;
      questions.push_back(*at);
      expected.emplace_back(at->inode, fd->get());
    }
    ASSERT_GE(questions.size(), least);
    std::vector<model::Holder> late;
    const auto evidence = source_->look_again(questions, late);
    ASSERT_TRUE(evidence) << evidence.error().message;
    std::vector<std::pair<uint64_t, int>> found;
    for (const auto& holder : late) {
      EXPECT_EQ(holder.pid, ::getpid());
      found.emplace_back(holder.inode, holder.fd);
    }
    std::ranges::sort(expected);
    std::ranges::sort(found);
    EXPECT_EQ(found, expected);
  }
}

TEST_F(BpfCollector, KnowsThatASocketHasBeenClosedSinceTheFirstLook) {
  for (const auto& request : {ports::InventoryRequest{}, with_sock_diag()}) {
    Fd listener = open_listener();
    const uint64_t inode = inode_of(listener.get());
    const auto first = source_->read(request);
    ASSERT_TRUE(first) << first.error().message;
    const auto at = std::ranges::find(first->listed, inode, &Socket::inode);
    ASSERT_NE(at, first->listed.end());
    listener.reset();
    std::vector<model::Holder> late;
    const auto evidence = source_->look_again({*at}, late);
    ASSERT_TRUE(evidence) << evidence.error().message;
    ASSERT_EQ(evidence->size(), 1U);
    EXPECT_EQ(evidence->front().inode, inode);
    EXPECT_EQ(evidence->front().holding, Holding::kVanished);
    EXPECT_TRUE(late.empty());
  }
}

TEST_F(BpfCollector, NeverTakesAProgramsMultipathSocketForTheKernels) {
  Fd listener = open_listener(IPPROTO_MPTCP);
  if (!listener.valid()) GTEST_SKIP() << "this kernel has no Multipath TCP";
  // The peer speaks plain TCP, so the kernel hands out a plain socket that began as a subflow.
  const Fd client = connect_to(listener.get());
  Fd accepted = accept_from(listener.get());
  ASSERT_TRUE(accepted.valid());
  const std::array<uint64_t, 2> inodes{inode_of(listener.get()), inode_of(accepted.get())};
  const std::array<Fd, 2> carrier = send_away(std::move(listener));
  const std::array<Fd, 2> other_carrier = send_away(std::move(accepted));
  ASSERT_TRUE(carrier[0].valid() && other_carrier[0].valid());
  const Look seen = look();
  for (const uint64_t inode : inodes) {
    ASSERT_NE(seen.find(inode), nullptr);
    EXPECT_EQ(seen.find(inode)->holding, unnamed());
  }
}

TEST_F(BpfCollector, NamesTheProcessWhoseLeaderHasExitedOnce) {
  std::array<int, 2> answer{};
  std::array<int, 2> gate{};
  ASSERT_EQ(::pipe(answer.data()), 0);
  ASSERT_EQ(::pipe(gate.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(gate[1]);
    const Fd listener = open_listener();
    const auto wait_for_gate = [&] {
      char byte = 0;
      if (::read(gate[0], &byte, 1) != 0) ::_exit(1);
    };
    std::thread([&] {
      std::thread(wait_for_gate).detach();
      // Only when the leader is a zombie is this the case that the test is about.
      for (;;) {
        const auto stat = base::read_file("/proc/thread-self/../../stat");
        if (stat && stat->find(") Z ") != std::string::npos) break;
        ::sched_yield();
      }
      const std::array<uint64_t, 2> message{inode_of(listener.get()),
                                            static_cast<uint64_t>(listener.get())};
      if (::write(answer[1], message.data(), sizeof message) != sizeof message) ::_exit(1);
      wait_for_gate();
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);
  }
  std::array<uint64_t, 2> message{};
  ASSERT_EQ(::read(answer[0], message.data(), sizeof message), sizeof message);
  const std::vector<Owner> owners = look().owners(message[0]);
  ASSERT_EQ(owners.size(), 1U);  // though two threads share the table
  EXPECT_EQ(owners[0].pid, child);
  EXPECT_NE(owners[0].tid, child);
  EXPECT_EQ(static_cast<uint64_t>(owners[0].fd), message[1]);
  for (const int fd : {gate[1], gate[0], answer[0], answer[1]}) ::close(fd);
  ::waitpid(child, nullptr, 0);
}

TEST_F(BpfCollector, LooksIntoThreadsThatHaveADescriptorTableOfTheirOwn) {
  const Fd shared = open_listener();
  std::promise<std::array<uint64_t, 3>> opened;
  std::promise<void> gate;
  std::thread worker([&, wait = gate.get_future()] {
    if (::unshare(CLONE_FILES) != 0) return opened.set_value({});
    const Fd own = open_listener();
    opened.set_value(
        {inode_of(own.get()), static_cast<uint64_t>(::gettid()), static_cast<uint64_t>(own.get())});
    wait.wait();
  });
  const auto [inode, tid, fd] = opened.get_future().get();
  const Look seen = look();
  gate.set_value();
  worker.join();
  EXPECT_EQ(seen.owners(inode), just({::getpid(), static_cast<int>(tid), static_cast<int>(fd)}));
  EXPECT_EQ(seen.owners(inode_of(shared.get())), just(self(shared.get())));
}

TEST_F(BpfCollector, ReadsANamespaceToWhichOnlyADescriptorLeads) {
  Fd held;
  Fd waiting;
  std::thread([&] {
    if (!enter_new_namespace()) return;
    held = open_listener();
    waiting = connect_to(held.get());
  }).join();
  if (!waiting.valid()) GTEST_SKIP() << "a network namespace cannot be made here";
  const Look seen = look();
  const Socket* listener = seen.find(inode_of(held.get()));
  ASSERT_NE(listener, nullptr);
  EXPECT_TRUE(listener->listed);
  EXPECT_EQ(listener->receive_queue, 1U);
  EXPECT_EQ(seen.owners(inode_of(held.get())), just(self(held.get())));
  const model::NetNamespace* space = seen.inventory().find_namespace(listener->netns);
  ASSERT_NE(space, nullptr);
  EXPECT_TRUE(space->tables_read);
  // The other end, which nobody holds yet, can only have come from the tables.
  EXPECT_TRUE(std::ranges::any_of(seen.inventory().sockets, [&](const Socket& socket) {
    return socket.netns == listener->netns && socket.holding == Holding::kNotAccepted;
  }));
}

TEST_F(BpfCollector, TellsTheKernelsOwnSockets) {
  Fd lifeline;
  uint32_t netns = 0;
  bool made = false;
  std::thread([&] {
    if (!enter_new_namespace()) return;
    const auto own = host::own_net_namespace();
    netns = own ? own->inode : 0;
    lifeline = open_bound(SOCK_DGRAM);
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    made = std::system(
               "ip link add vx0 type vxlan id 7 dstport 4789 dev lo 2>/dev/null && "
               "ip link set vx0 up 2>/dev/null") == 0;
  }).join();
  if (!made) GTEST_SKIP() << "this kernel has no VXLAN, or no network namespaces";
  const Look seen = look();
  const auto& sockets = seen.inventory().sockets;
  const auto vxlan = std::ranges::find_if(sockets, [&](const Socket& socket) {
    return socket.netns == netns && socket.local.port == 4789;
  });
  ASSERT_NE(vxlan, sockets.end());
  EXPECT_EQ(vxlan->holding, Holding::kKernel);
  EXPECT_EQ(vxlan->owner_count, 0U);
}

TEST_F(BpfCollector, SeesThroughADescriptorWhatTheTablesShow) {
  const Fd listener = open_listener();
  const Fd client = connect_to(listener.get());
  const Fd accepted = accept_from(listener.get());
  const Fd waiting = connect_to(listener.get());
  const Fd udp = open_bound(SOCK_DGRAM);
  const sockaddr_in udp_address = loopback(port_of(udp.get()));
  ASSERT_EQ(::send(client.get(), "unread", 6, 0), 6);
  ASSERT_EQ(::sendto(udp.get(), "unread", 6, 0, reinterpret_cast<const sockaddr*>(&udp_address),
                     sizeof udp_address),
            6);
  const Fd bound = open_bound();
  const Fd raw_v4(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  const Fd raw_v6(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  const Fd dual(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  ASSERT_EQ(bind_to(dual.get(), any), 0);
  const auto raw = source_->read(with_sock_diag());
  ASSERT_TRUE(raw) << raw.error().message;
  std::set<uint64_t> inodes;
  for (const Fd* fd :
       {&listener, &client, &accepted, &waiting, &udp, &bound, &raw_v4, &raw_v6, &dual}) {
    inodes.insert(inode_of(fd->get()));
  }
  size_t compared = 0;
  for (size_t i = 0; i < raw->holders.size(); ++i) {
    if (!inodes.contains(raw->holders[i].inode)) continue;
    const auto listed = std::ranges::find(raw->listed, raw->holders[i].inode, &Socket::inode);
    // Kernels before 6.8 do not list what is only bound.
    if (listed == raw->listed.end() && raw->holders[i].fd == bound.get()) continue;
    ASSERT_NE(listed, raw->listed.end()) << raw->holders[i].fd;
    Socket held = raw->held(i);
    if (listed->cookie == 0) {  // from /proc/net/raw, which tells less
      held.cookie = 0;
      held.v6only.reset();
    }
    const auto facts = [](const Socket& one) {
      return std::tuple(one.cookie, one.inode, one.netns, one.uid, one.interface, one.receive_queue,
                        one.send_queue, one.local, one.remote, one.protocol, one.state, one.v6only,
                        one.mptcp);
    };
    EXPECT_EQ(facts(held), facts(*listed)) << model::to_string(listed->local);
    ++compared;
  }
  EXPECT_GE(compared, 8U);
}

TEST_F(BpfCollector, ReadsOnlyThePortsOrTheListenersAskedFor) {
  const Fd listener = open_listener();
  const Fd client = connect_to(listener.get());
  const Fd other = open_listener();
  ports::InventoryRequest request;
  request.ports = model::PortRange{port_of(listener.get()), port_of(listener.get())};
  const Look narrowed = look(request);
  EXPECT_EQ(narrowed.owners(inode_of(listener.get())), just(self(listener.get())));
  EXPECT_EQ(narrowed.owners(inode_of(client.get())), just(self(client.get())));
  EXPECT_EQ(narrowed.find(inode_of(other.get())), nullptr);

  ports::InventoryRequest listeners;
  listeners.listeners_only = true;
  const Look listening = look(listeners);
  EXPECT_EQ(listening.owners(inode_of(other.get())), just(self(other.get())));
  EXPECT_EQ(listening.find(inode_of(client.get())), nullptr);
}

TEST_F(BpfCollector, LeavesOtherNamespacesAloneIfAsked) {
  Fd far;
  std::thread([&] {
    if (enter_new_namespace()) far = open_listener();
  }).join();
  if (!far.valid()) GTEST_SKIP() << "a network namespace cannot be made here";
  const Fd near = open_listener();
  ports::InventoryRequest request;
  request.all_namespaces = false;
  const Look seen = look(request);
  EXPECT_NE(seen.find(inode_of(near.get())), nullptr);
  EXPECT_EQ(seen.find(inode_of(far.get())), nullptr);
}

/// Field 22 of /proc/self/stat: clock ticks since boot.
uint64_t start_ticks_of_self() {
  const auto stat = base::read_file("/proc/self/stat");
  if (!stat) return 0;
  std::string_view rest(*stat);
  rest.remove_prefix(rest.rfind(')') + 2);
  for (int field = 3; field < 22; ++field) base::take_until(rest, ' ');
  return base::parse_number<uint64_t>(base::take_until(rest, ' ')).value_or(0);
}

/// In a process of its own: 0 if the collector knows a listener of ours by our own number and time.
int check_own_number() {
  const Fd listener = open_listener();
  auto source = host::make_bpf_collector("in a test");
  if (!listener.valid() || !source) return 10;
  const auto raw = (*source)->read({});
  if (!raw) return 11;
  const auto own = std::ranges::find(raw->holders, inode_of(listener.get()), &model::Holder::inode);
  if (own == raw->holders.end()) return 12;
  if (own->pid != ::getpid() || own->tid != ::gettid()) return 13;
  const uint64_t nanoseconds_per_tick = 1'000'000'000 / ::sysconf(_SC_CLK_TCK);
  return own->start_time_ns / nanoseconds_per_tick == start_ticks_of_self() ? 0 : 14;
}

TEST_F(BpfCollector, KnowsTheStartTimeThatProcShows) {
  EXPECT_EQ(run_in_child(check_own_number), 0);
}

TEST_F(BpfCollector, NumbersProcessesAsItsOwnPidNamespaceDoes) {
  EXPECT_EQ(run_in_child([] {
              if (::unshare(CLONE_NEWPID) != 0) return 1;
              return run_in_child([] { return ::getpid() == 1 ? check_own_number() : 2; });
            }),
            0);
}

TEST_F(BpfCollector, CountsTimeAsItsOwnTimeNamespaceDoes) {
  EXPECT_EQ(run_in_child([] {
              if (::unshare(CLONE_NEWTIME) != 0) return 1;
              const Fd offsets(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
              constexpr std::string_view kOffset = "boottime 1000 5";
              if (::write(offsets.get(), kOffset.data(), kOffset.size()) < 0) return 2;
              return run_in_child(check_own_number);
            }),
            0);
}

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
  return cookie;
}

// In a PID namespace of one's own, most sockets have no descriptor in sight that tells the facts.
TEST(BpfSockets, TablesHaveTheFactsOfHeldSocketsOnlyWhereAskedForAlways) {
  auto programs = host::BpfSockets::load(true);
  if (!programs) GTEST_SKIP() << programs.error().message;
  const Fd listener = open_listener();
  const Fd client = connect_to(listener.get());
  ASSERT_TRUE(client.valid());
  for (const bool always : {false, true}) {
    programs->narrow_to({}, always);
    auto stream = programs->open_tcp();
    ASSERT_TRUE(stream) << stream.error().message;
    std::optional<bool> has_facts;
    for (bool more = true; more;) {
      const auto read = stream->read_some([&](const format::TableEntry& entry) {
        if (entry.listing.cookie == cookie_of(client.get())) has_facts = entry.facts.has_value();
      });
      ASSERT_TRUE(read) << read.error().message;
      more = *read;
    }
    EXPECT_EQ(has_facts, always);
  }
}

}  // namespace
