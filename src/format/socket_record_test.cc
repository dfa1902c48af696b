#include "format/socket_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "testkit/hex.h"

namespace {

using Bytes = std::span<const std::byte>;

socket_record listener() {
  socket_record record{};
  record.size = sizeof record;
  record.version = SOCKET_RECORD_VERSION;
  record.tgid = 100;
  record.tid = 101;
  record.fd = 3;
  record.start_time_ns = 5'000'000'000;
  record.cookie = 77;
  record.inode = 4242;
  record.facts.netns = 4026531840;
  record.facts.uid = 33;
  record.facts.send_queue = 128;
  record.facts.local_port = 1744;
  record.facts.protocol = IPPROTO_TCP;
  record.facts.type = SOCK_STREAM;
  record.facts.family = AF_INET;
  record.facts.state = 10;
  record.facts.local_address[0] = 127;
  record.facts.local_address[3] = 1;
  std::memcpy(record.command, "nginx", 6);
  return record;
}

template <class Record>
Bytes bytes_of(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

bool is_refused(const socket_record& record) {
  Bytes bytes = bytes_of(record);
  socket_record taken;
  const auto result = format::take(bytes, taken);
  return !result && result.error().kind == base::ErrorKind::kCorrupt &&
         bytes.size() == sizeof record;
}

model::Socket socket_of(const socket_record& record) {
  return format::socket_of(record.inode, record.cookie, record.facts);
}

TEST(SocketRecord, TellsWhoHoldsWhat) {
  const socket_record record = listener();
  const model::Holder holder = format::holder_of(record);
  EXPECT_EQ(holder.pid, 100);
  EXPECT_EQ(holder.tid, 101);
  EXPECT_EQ(holder.fd, 3);
  EXPECT_EQ(holder.inode, 4242U);
  EXPECT_EQ(holder.cookie, 77U);
  EXPECT_EQ(holder.start_time_ns, 5'000'000'000U);
  EXPECT_FALSE(holder.mptcp);
  EXPECT_EQ(format::command_of(record), "nginx");

  const model::Socket socket = socket_of(record);
  EXPECT_EQ(model::to_string(socket.local), "127.0.0.1:1744");
  EXPECT_EQ(socket.state, model::SocketState::kListen);
  EXPECT_EQ(socket.protocol, model::Protocol::kTcp);
  EXPECT_EQ(socket.netns, 4026531840U);
  EXPECT_EQ(socket.uid, 33U);
  EXPECT_EQ(socket.send_queue, 128U);
  EXPECT_EQ(socket.v6only, std::nullopt);
}

TEST(SocketRecord, KnowsEachKindOfSocketByTypeAndProtocol) {
  struct Case {
    uint8_t type;
    uint16_t protocol;
    model::Protocol expected;
    bool mptcp;
  };
  const std::array cases{
      Case{SOCK_STREAM, IPPROTO_TCP, model::Protocol::kTcp, false},
      Case{SOCK_STREAM, IPPROTO_MPTCP, model::Protocol::kTcp, true},
      Case{SOCK_DGRAM, IPPROTO_UDP, model::Protocol::kUdp, false},
      Case{SOCK_DGRAM, IPPROTO_UDPLITE, model::Protocol::kUdpLite, false},
      Case{SOCK_RAW, IPPROTO_ICMP, model::Protocol::kRaw, false},
      Case{SOCK_RAW, IPPROTO_TCP, model::Protocol::kRaw, false},
  };
  for (const Case& one : cases) {
    socket_record record = listener();
    record.facts.type = one.type;
    record.facts.protocol = one.protocol;
    record.facts.state = one.type == SOCK_STREAM ? 10 : 7;
    ASSERT_FALSE(is_refused(record)) << one.protocol;
    EXPECT_EQ(socket_of(record).protocol, one.expected) << one.protocol;
    EXPECT_EQ(socket_of(record).mptcp, one.mptcp) << one.protocol;
  }
}

TEST(SocketRecord, CallsABoundButClosedTcpSocketBoundAndGivesItNoPeer) {
  socket_record record = listener();
  record.facts.state = 7;
  record.facts.remote_port = 99;
  record.facts.remote_address[0] = 9;
  EXPECT_EQ(socket_of(record).state, model::SocketState::kBoundInactive);
  EXPECT_EQ(socket_of(record).remote, model::Endpoint{});
}

TEST(SocketRecord, TellsV6OnlyWhereItMatters) {
  socket_record record = listener();
  record.facts.family = AF_INET6;
  EXPECT_EQ(socket_of(record).v6only, false);
  record.facts.flags = SOCKET_FACTS_V6ONLY;
  EXPECT_EQ(socket_of(record).v6only, true);
  record.facts.state = 1;
  EXPECT_EQ(socket_of(record).v6only, std::nullopt);
}

TEST(SocketRecord, RefusesEveryTruncation) {
  const socket_record record = listener();
  for (size_t length = 0; length < sizeof record; ++length) {
    Bytes bytes = bytes_of(record).first(length);
    socket_record taken;
    EXPECT_FALSE(format::take(bytes, taken)) << length;
    EXPECT_EQ(bytes.size(), length);
  }
}

TEST(SocketRecord, RefusesWhatCannotBeTrue) {
  const auto with = [](auto change) {
    socket_record record = listener();
    change(record);
    return record;
  };
  EXPECT_FALSE(is_refused(listener()));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.size = 119; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.version = 1; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.family = AF_UNIX; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.state = 0; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.state = 14; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.protocol = IPPROTO_SCTP; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.type = SOCK_DGRAM; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.tgid = 0; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.tid = 0x80000000; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.fd = 0xFFFFFFFF; })));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.inode = 0; })));
}

TEST(SocketRecord, ReadsACommandThatFillsItsField) {
  socket_record record = listener();
  std::memset(record.command, 'x', sizeof record.command);
  EXPECT_EQ(format::command_of(record), std::string(16, 'x'));
}

using Listed = table_record;

Listed listed() {
  Listed out{};
  out.listing.size = sizeof out.listing;
  out.listing.version = SOCKET_RECORD_VERSION;
  out.listing.flags = SOCKET_EVIDENCE_SOCKET;
  out.listing.cookie = 9;
  out.listing.inode = 90;
  out.facts = listener().facts;
  return out;
}

TEST(TableRecord, HasNoFactsOfItsOwnWhereADescriptorHasThem) {
  const Listed record = listed();
  Bytes bytes = bytes_of(record);
  EXPECT_EQ(format::size_of_next(bytes), sizeof record.listing);
  format::TableEntry entry;
  ASSERT_TRUE(format::take(bytes, entry));
  EXPECT_EQ(bytes.size(), sizeof record - sizeof record.listing);
  EXPECT_EQ(entry.listing.cookie, 9U);
  EXPECT_FALSE(entry.facts.has_value());
}

TEST(TableRecord, BringsTheFactsOfWhatNoDescriptorLeadsTo) {
  Listed record = listed();
  record.listing.size = sizeof record;
  record.listing.inode = 0;
  record.socket = 77;
  Bytes bytes = bytes_of(record);
  format::TableEntry entry;
  ASSERT_TRUE(format::take(bytes, entry));
  EXPECT_TRUE(bytes.empty());
  ASSERT_TRUE(entry.facts.has_value());
  EXPECT_EQ(entry.socket, 77U);
  EXPECT_EQ(format::socket_of(0, 9, *entry.facts).state, model::SocketState::kListen);
}

TEST(TableRecord, IsRefusedCutOffFromAnotherVersionOrWithoutMeaning) {
  const auto is_refused = [](const Listed& record, size_t size) {
    Bytes bytes = bytes_of(record).first(size);
    format::TableEntry entry;
    return !format::take(bytes, entry) && bytes.size() == size && entry.listing.cookie == 0;
  };
  const auto with = [](auto change) {
    Listed record = listed();
    record.listing.size = sizeof record;
    change(record);
    return record;
  };
  EXPECT_TRUE(is_refused(listed(), sizeof(socket_listing) - 1));
  EXPECT_TRUE(is_refused(with([](auto&) {}), sizeof(Listed) - 1));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.listing.version = 1; }), sizeof(Listed)));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.listing.size = 0; }), sizeof(Listed)));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.listing.cookie = 0; }), sizeof(Listed)));
  EXPECT_TRUE(is_refused(with([](auto& r) { r.facts.state = 99; }), sizeof(Listed)));
  EXPECT_TRUE(is_refused(with([](auto& r) {
                           r.listing.size = sizeof(socket_listing);
                           r.listing.flags = 0;
                         }),
                         sizeof(Listed)));
  Listed cut = listed();
  EXPECT_EQ(format::size_of_next(bytes_of(cut).first(1)), 2U);
}

// The golden file: bytes as a kernel wrote them, in hexadecimal, one record a line, each followed
// by what they mean. Made on little-endian amd64; the layout is the same on every such machine.
std::string describe(const socket_record& record) {
  const model::Holder holder = format::holder_of(record);
  const model::Socket socket = format::socket_of(record.inode, record.cookie, record.facts);
  std::ostringstream out;
  out << model::protocol_name(socket.protocol) << ' '
      << model::state_name(socket.state, socket.protocol) << ' ' << model::to_string(socket.local)
      << ' ' << model::to_string(socket.remote) << " netns " << socket.netns << " uid "
      << socket.uid << " if " << socket.interface << " queues " << socket.receive_queue << '/'
      << socket.send_queue << " inode " << holder.inode << " cookie " << holder.cookie << " pid "
      << holder.pid << " tid " << holder.tid << " fd " << holder.fd << " start "
      << holder.start_time_ns << (socket.mptcp ? " mptcp" : "");
  if (socket.v6only) out << (*socket.v6only ? " v6only" : " dual-stack");
  out << " (" << format::command_of(record) << ')';
  return out.str();
}

TEST(SocketRecord, ReadsTheGoldenFile) {
  std::ifstream file(TWINPORT_SOURCE_DIR "/tests/golden/socket_record.txt");
  ASSERT_TRUE(file);
  std::string line;
  int records = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::vector<std::byte> stored = testkit::bytes_of_hex(line);
    Bytes bytes = stored;
    socket_record record;
    ASSERT_TRUE(format::take(bytes, record)) << line;
    EXPECT_TRUE(bytes.empty());
    ASSERT_TRUE(std::getline(file, line));
    EXPECT_EQ(describe(record), line);
    ++records;
  }
  EXPECT_GE(records, 8);
}

std::string describe(const format::TableEntry& entry) {
  const socket_listing& listing = entry.listing;
  std::ostringstream out;
  if (entry.facts) {
    const model::Socket socket = format::socket_of(listing.inode, listing.cookie, *entry.facts);
    out << model::protocol_name(socket.protocol) << ' '
        << model::state_name(socket.state, socket.protocol) << ' ' << model::to_string(socket.local)
        << ' ' << model::to_string(socket.remote) << " queues " << socket.receive_queue << '/'
        << socket.send_queue;
  } else {
    out << "without facts:";
  }
  out << " inode " << listing.inode << " cookie " << listing.cookie << " flags "
      << unsigned{listing.flags} << " socket " << std::hex << entry.socket;
  return out.str();
}

TEST(TableRecord, ReadsTheGoldenFile) {
  std::ifstream file(TWINPORT_SOURCE_DIR "/tests/golden/table_record.txt");
  ASSERT_TRUE(file);
  std::string line;
  int records = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::vector<std::byte> stored = testkit::bytes_of_hex(line);
    Bytes bytes = stored;
    format::TableEntry entry;
    ASSERT_TRUE(format::take(bytes, entry)) << line;
    EXPECT_TRUE(bytes.empty());
    ASSERT_TRUE(std::getline(file, line));
    EXPECT_EQ(describe(entry), line);
    ++records;
  }
  EXPECT_GE(records, 5);
}

}  // namespace
