#include "format/event_record.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

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

}  // namespace
