#include "format/event_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "testkit/hex.h"

namespace {

template <class Record>
Record record_of(uint8_t kind) {
  Record record{};
  record.head.size = sizeof record;
  record.head.version = EVENT_RECORD_VERSION;
  record.head.kind = kind;
  record.head.time_ns = 5;
  return record;
}

whole_event_record whole_record_of(uint8_t kind) {
  whole_event_record record{};
  socket_event_record& socket = record.socket;
  socket = record_of<socket_event_record>(kind);
  socket.head.size = sizeof record;
  socket.head.netns = 7;
  socket.cookie = 9;
  socket.created_ns = 4;
  socket.local_port = 56744;
  socket.remote_port = 443;
  socket.protocol = IPPROTO_TCP;
  socket.family = AF_INET;
  const uint8_t loopback[4] = {127, 0, 0, 1};
  std::memcpy(socket.local_ipv4, loopback, sizeof loopback);
  socket.actor.tgid = 21;
  record.rest.creator.tgid = 20;
  record.rest.creator.uid = 1000;
  record.rest.creator.start_time_ns = 3;
  std::memcpy(record.rest.creator.command, "curl", 4);
  record.totals.bytes_sent = 77;
  return record;
}

template <class Record>
std::span<const std::byte> bytes(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

model::SocketEvent socket_of(std::span<const std::byte> record) {
  const auto event = format::read_event(record);
  EXPECT_TRUE(event) << event.error().message;
  return event ? std::get<model::SocketEvent>(*event) : model::SocketEvent{};
}

TEST(EventRecord, TellsASocketsEvent) {
  const auto record = whole_record_of(EVENT_CLOSED);
  const auto socket = socket_of(bytes(record));
  EXPECT_EQ(socket.kind, model::SocketEventKind::kClosed);
  EXPECT_EQ(socket.cookie, 9U);
  EXPECT_EQ(model::to_string(socket.local), "127.0.0.1:56744");
  EXPECT_EQ(socket.remote.port, 443);
  EXPECT_EQ(socket.creator.pid, 20);
  EXPECT_STREQ(socket.creator.command.data(), "curl");
  EXPECT_EQ(socket.actor.pid, 21);
  EXPECT_EQ(socket.totals.bytes_sent, 77U);
}

TEST(EventRecord, WhatIsCutOffIsNotKnown) {
  auto record = whole_record_of(EVENT_CLOSED);
  record.socket.head.size = sizeof(closing_event_record);
  auto socket = socket_of(bytes(record).first(sizeof(closing_event_record)));
  EXPECT_EQ(model::to_string(socket.local), "127.0.0.1:56744");
  EXPECT_EQ(socket.actor.pid, 21);
  EXPECT_EQ(socket.creator.pid, 0);
  EXPECT_EQ(socket.totals.bytes_sent, 77U);
  record.socket.head.size = sizeof(socket_event_record);
  socket = socket_of(bytes(record).first(sizeof(socket_event_record)));
  EXPECT_EQ(socket.actor.pid, 21);
  EXPECT_EQ(socket.totals.bytes_sent, 0U);
}

TEST(EventRecord, TellsWhoActsFromWhoMadeTheSocket) {
  auto record = whole_record_of(EVENT_ACCEPTED);
  record.socket.flags = EVENT_CREATOR_ONLY;
  EXPECT_EQ(socket_of(bytes(record)).creator.pid, 21);
  EXPECT_EQ(socket_of(bytes(record)).actor.pid, 0);
  record.socket.flags = EVENT_ACTOR_CREATED;
  EXPECT_EQ(socket_of(bytes(record)).creator.pid, 21);
  EXPECT_EQ(socket_of(bytes(record)).actor.pid, 21);
}

TEST(EventRecord, TellsIpv6AddressesFromTheRest) {
  auto record = whole_record_of(EVENT_CONNECTED);
  record.socket.family = AF_INET6;
  record.rest.local_ipv6[15] = 1;
  record.rest.remote_ipv6[15] = 2;
  EXPECT_EQ(model::to_string(socket_of(bytes(record)).local), "[::1]:56744");
  EXPECT_EQ(model::to_string(socket_of(bytes(record)).remote), "[::2]:443");
}

TEST(EventRecord, NobodyIsNobodyWhateverTheRestOfTheActorSays) {
  auto record = whole_record_of(EVENT_CLOSED);
  record.rest.creator.tgid = 0;
  const auto socket = socket_of(bytes(record));
  EXPECT_EQ(socket.creator.uid, 0U);
  EXPECT_EQ(socket.creator.command[0], '\0');
}

TEST(EventRecord, TellsAResetAndAProcess) {
  auto reset = record_of<reset_event_record>(EVENT_RESET_SENT);
  reset.family = AF_INET6;
  reset.local_port = 1744;
  auto event = format::read_event(bytes(reset));
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::ResetEvent>(*event).local.port, 1744);

  auto exec = record_of<process_event_record>(EVENT_EXEC);
  exec.process.tgid = 20;
  exec.parent_tgid = 1;
  std::memset(exec.exe, 'x', sizeof exec.exe);  // not even terminated
  event = format::read_event(bytes(exec));
  ASSERT_TRUE(event);
  const auto& process = std::get<model::ProcessEvent>(*event);
  EXPECT_EQ(process.kind, model::ProcessEventKind::kExec);
  EXPECT_EQ(process.exe.size(), sizeof exec.exe);
  EXPECT_EQ(process.parent_pid, 1);
}

TEST(EventRecord, RefusesWhatIsCutOrOfAnotherVersion) {
  auto record = whole_record_of(EVENT_CLOSED);
  for (const size_t said : {sizeof record, sizeof(closing_event_record), sizeof record.socket}) {
    record.socket.head.size = static_cast<uint16_t>(said);
    for (size_t length = 0; length <= sizeof record; ++length) {
      EXPECT_EQ(format::read_event(bytes(record).first(length)).has_value(), length == said);
    }
  }
  auto other = whole_record_of(EVENT_CLOSED);
  other.socket.head.version = EVENT_RECORD_VERSION - 1;
  EXPECT_FALSE(format::read_event(bytes(other)));
  other = whole_record_of(EVENT_CLOSED);
  other.socket.head.size -= 1;
  EXPECT_FALSE(format::read_event(bytes(other)));
}

TEST(EventRecord, RefusesFieldsThatCannotBeTrue) {
  const auto refused = [](const auto& change) {
    auto record = whole_record_of(EVENT_CONNECTED);
    change(record);
    const auto event = format::read_event(bytes(record).first(record.socket.head.size));
    return !event && event.error().kind == base::ErrorKind::kCorrupt;
  };
  EXPECT_TRUE(refused([](auto& r) { r.socket.head.kind = 99; }));
  EXPECT_TRUE(refused([](auto& r) { r.socket.family = AF_UNIX; }));
  EXPECT_TRUE(refused([](auto& r) {
    r.socket.family = AF_INET6;
    r.socket.head.size = sizeof(closing_event_record);
  })) << "where are its addresses?";
  EXPECT_TRUE(refused([](auto& r) { r.socket.protocol = IPPROTO_ICMP; }));
  EXPECT_TRUE(refused([](auto& r) { r.socket.cookie = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.socket.actor.tgid = 0x80000000U; }));
  EXPECT_TRUE(refused([](auto& r) { r.rest.creator.tgid = 0x80000000U; }));
  EXPECT_TRUE(refused([](auto& r) { r.socket.flags = 3; }));
  EXPECT_TRUE(refused([](auto& r) { r.socket.error = 5000; }));
  EXPECT_FALSE(refused([](auto&) {}));
}

// The golden file: bytes as a kernel wrote them, in hexadecimal, one record a line, each followed
// by what they mean. Made on little-endian amd64; the layout is the same on every such machine.
void describe(std::ostream& out, const char* who, const model::Actor& actor) {
  if (actor.pid == 0) return;
  out << ' ' << who << ' ' << actor.pid << " start " << actor.start_time_ns << " uid " << actor.uid
      << " cgroup " << actor.cgroup_id << " (" << actor.command.data() << ')';
}

std::string describe(const model::Event& event) {
  static constexpr const char* kSocketEvents[] = {
      "?",        "bound",  "listening",      "connected",
      "accepted", "closed", "connect-failed", "bind-failed"};
  static constexpr const char* kProcessEvents[] = {"?", "fork", "exec", "exit"};
  std::ostringstream out;
  if (const auto* socket = std::get_if<model::SocketEvent>(&event)) {
    out << kSocketEvents[static_cast<int>(socket->kind)] << ' '
        << model::protocol_name(socket->protocol) << ' ' << model::to_string(socket->local) << ' '
        << model::to_string(socket->remote) << " at " << socket->time_ns << " netns "
        << socket->netns << " if " << socket->interface << " cookie " << socket->cookie
        << " created " << socket->created_ns << " error " << socket->error << " bytes "
        << socket->totals.bytes_sent << '/' << socket->totals.bytes_received << " rtt "
        << socket->totals.rtt_us << " retransmits " << socket->totals.retransmits;
    describe(out, "actor", socket->actor);
    describe(out, "creator", socket->creator);
  } else if (const auto* reset = std::get_if<model::ResetEvent>(&event)) {
    out << "reset " << model::to_string(reset->local) << ' ' << model::to_string(reset->remote)
        << " at " << reset->time_ns << " netns " << reset->netns;
  } else if (const auto* process = std::get_if<model::ProcessEvent>(&event)) {
    out << kProcessEvents[static_cast<int>(process->kind)] << " at " << process->time_ns
        << " parent " << process->parent_pid << " start " << process->parent_start_time_ns;
    describe(out, "process", process->process);
    out << ' ' << process->exe;
  }
  return out.str();
}

TEST(EventRecord, ReadsTheGoldenFile) {
  std::ifstream file(TWINPORT_SOURCE_DIR "/tests/golden/event_record.txt");
  ASSERT_TRUE(file);
  std::string line;
  int records = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::vector<std::byte> stored = testkit::bytes_of_hex(line);
    const auto event = format::read_event(stored);
    ASSERT_TRUE(event) << line;
    ASSERT_TRUE(std::getline(file, line));
    EXPECT_EQ(describe(*event), line);
    ++records;
  }
  EXPECT_GE(records, 16);
}

}  // namespace
