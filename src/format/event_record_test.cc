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

socket_event_record socket_record_of(uint8_t kind) {
  auto record = record_of<socket_event_record>(kind);
  record.head.netns = 7;
  record.cookie = 9;
  record.created_ns = 4;
  record.local_port = 56744;
  record.remote_port = 443;
  record.protocol = IPPROTO_TCP;
  record.family = AF_INET;
  const uint8_t loopback[4] = {127, 0, 0, 1};
  std::memcpy(record.local_address, loopback, sizeof loopback);
  record.creator.tgid = 20;
  record.creator.uid = 1000;
  record.creator.start_time_ns = 3;
  std::memcpy(record.creator.command, "curl", 4);
  record.bytes_sent = 77;
  return record;
}

template <class Record>
std::span<const std::byte> bytes(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
}

TEST(EventRecord, TellsASocketsEvent) {
  const auto record = socket_record_of(EVENT_CLOSED);
  const auto event = format::read_event(bytes(record));
  ASSERT_TRUE(event) << event.error().message;
  const auto& socket = std::get<model::SocketEvent>(*event);
  EXPECT_EQ(socket.kind, model::SocketEventKind::kClosed);
  EXPECT_EQ(socket.cookie, 9U);
  EXPECT_EQ(model::to_string(socket.local), "127.0.0.1:56744");
  EXPECT_EQ(socket.remote.port, 443);
  EXPECT_EQ(socket.creator.pid, 20);
  EXPECT_STREQ(socket.creator.command.data(), "curl");
  EXPECT_EQ(socket.actor.pid, 0);
  EXPECT_EQ(socket.totals.bytes_sent, 77U);
}

TEST(EventRecord, NobodyIsNobodyWhateverTheRestOfTheActorSays) {
  auto record = socket_record_of(EVENT_CLOSED);
  record.creator.tgid = 0;
  const auto event = format::read_event(bytes(record));
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<model::SocketEvent>(*event).creator.uid, 0U);
  EXPECT_EQ(std::get<model::SocketEvent>(*event).creator.command[0], '\0');
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
  const auto record = socket_record_of(EVENT_CLOSED);
  const auto whole = bytes(record);
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(format::read_event(whole.first(length))) << length;
  }
  auto other = record;
  other.head.version = EVENT_RECORD_VERSION + 1;
  EXPECT_FALSE(format::read_event(bytes(other)));
  other = record;
  other.head.size -= 1;
  EXPECT_FALSE(format::read_event(bytes(other)));
}

TEST(EventRecord, RefusesFieldsThatCannotBeTrue) {
  const auto refused = [](const auto& change) {
    auto record = socket_record_of(EVENT_CONNECTED);
    change(record);
    const auto event = format::read_event(bytes(record));
    return !event && event.error().kind == base::ErrorKind::kCorrupt;
  };
  EXPECT_TRUE(refused([](auto& r) { r.head.kind = 99; }));
  EXPECT_TRUE(refused([](auto& r) { r.family = AF_UNIX; }));
  EXPECT_TRUE(refused([](auto& r) { r.protocol = IPPROTO_ICMP; }));
  EXPECT_TRUE(refused([](auto& r) { r.cookie = 0; }));
  EXPECT_TRUE(refused([](auto& r) { r.actor.tgid = 0x80000000U; }));
  EXPECT_TRUE(refused([](auto& r) { r.error = 5000; }));
  EXPECT_FALSE(refused([](auto&) {}));
}

}  // namespace
