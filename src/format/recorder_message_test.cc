#include "format/recorder_message.h"

#include <gtest/gtest.h>

namespace {

using format::RecorderReply;
using format::RecorderRequest;

std::string body_of(const std::string& message) {
  EXPECT_EQ(format::read_message_size(message.substr(0, 4), format::kLongestReply).value(),
            message.size() - 4);
  return message.substr(4);
}

model::RecordedProcess process(int32_t pid) {
  model::RecordedProcess out;
  out.id = pid + 1;
  out.boot = 3;
  out.pid = pid;
  out.start_time_ns = 5;
  out.uid = 1000;
  out.user = "alice";
  out.command = std::string("a\0b\xff", 4);
  out.exe = "/bin/x";
  out.unit = "x.service";
  out.container = "c";
  out.parent_pid = 1;
  out.parent_command = "init";
  return out;
}

model::TimelineRow row() {
  model::TimelineRow out;
  out.socket.cookie = ~uint64_t{0};
  out.socket.boot = 3;
  out.socket.netns = 4;
  out.socket.interface = 2;
  out.socket.protocol = model::Protocol::kUdp;
  out.socket.role = model::SocketRole::kRefused;
  out.socket.local = {*model::parse_ip_address("10.0.0.5"), 56744};
  out.socket.remote = {*model::parse_ip_address("2001:db8::1"), 443};
  out.socket.opened_boot_us = -5;
  out.socket.opened_us = 6;
  out.socket.closed_boot_us = 7;
  out.socket.closed_us = 8;
  out.socket.opened_before = true;
  out.socket.error = 111;
  out.socket.proof = model::OwnerProof::kInherited;
  out.socket.owner_reason = "because";
  out.socket.owner = 9;
  out.socket.creator = 10;
  out.socket.also_held_by = {11, 12};
  out.socket.totals = {.bytes_sent = 1, .bytes_received = 2, .rtt_us = 3, .retransmits = 4};
  out.owner = process(8);
  out.also_held_by = {process(20)};
  return out;
}

model::TimelineQuery query() {
  model::TimelineQuery out;
  out.windows = {{1, 2}, {3, 4}};
  out.port = model::PortRange{1, 2};
  out.local_port = model::PortRange{3, 4};
  out.local_address = model::parse_ip_address("::1");
  out.remote_address = model::parse_ip_address("10.0.0.1");
  out.remote_port = 5;
  out.protocol = model::Protocol::kTcp;
  out.pid = 6;
  out.uid = 7;
  out.command = "curl";
  out.limit = 8;
  return out;
}

format::StatusReply status() {
  format::StatusReply out;
  out.recorder.pid = 7;
  out.recorder.begun_us = 8;
  out.recorder.collector.why = "because";
  out.recorder.collector.blind_spots = {"this", "that"};
  out.recorder.totals.events = 9;
  out.recorder.totals.lost.storage_full = 10;
  out.recorder.trouble = "the disk is full";
  out.timeline = model::TimelineStatus{.oldest_us = 1, .size_bytes = 2, .events_lost = 3};
  return out;
}

// Written again, what was read gives the same bytes: nothing is lost on the way.
TEST(RecorderMessage, ReadsBackWhatWasWritten) {
  for (const RecorderRequest& request :
       {RecorderRequest(query()), RecorderRequest(format::StatusRequest{}),
        RecorderRequest(format::WatchRequest{query()}), RecorderRequest(model::TimelineQuery{})}) {
    const std::string bytes = format::write_request(request);
    const auto read = format::read_request(body_of(bytes));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), request.index());
    EXPECT_EQ(format::write_request(*read), bytes);
  }
  model::TimelineAnswer answer;
  answer.rows = {row(), row()};
  answer.more = true;
  answer.gaps = {{3, 1, 2, "ring-full", 5}};
  answer.policies.resize(1);
  answer.policies[0].policy.reserved = {{5, 6}};
  answer.oldest_us = 1;
  answer.recorded_until_us = 2;
  for (const RecorderReply& reply :
       {RecorderReply(answer), RecorderReply(status()),
        RecorderReply(model::WatchBatch{{row()}, {}, 17}),
        RecorderReply(base::Error{base::ErrorKind::kPermission, "no"})}) {
    const std::string bytes = format::write_reply(reply);
    const auto read = format::read_reply(body_of(bytes));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), reply.index());
    EXPECT_EQ(format::write_reply(*read), bytes);
  }
}

TEST(RecorderMessage, KeepsEveryFieldOfARow) {
  model::TimelineAnswer answer;
  answer.rows = {row()};
  const auto read = format::read_reply(body_of(format::write_reply(answer)));
  const auto& back = std::get<model::TimelineAnswer>(*read).rows.at(0);
  EXPECT_EQ(back.socket.cookie, ~uint64_t{0});
  EXPECT_EQ(back.socket.local, row().socket.local);
  EXPECT_EQ(back.socket.remote, row().socket.remote);
  EXPECT_EQ(back.socket.opened_boot_us, -5);
  EXPECT_EQ(back.socket.closed_us, 8);
  EXPECT_EQ(back.socket.also_held_by, (std::vector<int64_t>{11, 12}));
  EXPECT_EQ(back.owner->command, std::string("a\0b\xff", 4));
  EXPECT_FALSE(back.creator);
  EXPECT_EQ(back.also_held_by.at(0).pid, 20);
}

TEST(RecorderMessage, EveryCutAndEveryByteTooManyIsRefused) {
  const std::string request = body_of(format::write_request(query()));
  for (size_t size = 0; size < request.size(); ++size) {
    EXPECT_FALSE(format::read_request(request.substr(0, size))) << size;
  }
  EXPECT_FALSE(format::read_request(request + '\0'));
  model::TimelineAnswer answer;
  answer.rows = {row()};
  const std::string reply = body_of(format::write_reply(answer));
  for (size_t size = 0; size < reply.size(); ++size) {
    EXPECT_FALSE(format::read_reply(reply.substr(0, size))) << size;
  }
}

TEST(RecorderMessage, AnyByteMayBeAnythingAndNothingBreaks) {
  model::TimelineAnswer answer;
  answer.rows = {row()};
  const std::string good = body_of(format::write_reply(answer));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'\0', '\1', '\x7f', '\xff'}) {
      std::string bad = good;
      bad[at] = byte;
      const auto read = format::read_reply(bad);
      if (read) {
        EXPECT_EQ(body_of(format::write_reply(*read)), bad);
      }
    }
  }
}

TEST(RecorderMessage, ACountAloneReservesNothing) {
  std::string request = body_of(format::write_request(model::TimelineQuery{}));
  // Version and kind, then the number of windows.
  request.replace(2, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(format::read_request(request).error().kind, base::ErrorKind::kCorrupt);
}

TEST(RecorderMessage, RefusesWhatCannotBe) {
  model::TimelineQuery many;
  many.windows.resize(65);
  EXPECT_FALSE(format::read_request(body_of(format::write_request(many))));
  model::TimelineQuery backwards;
  backwards.port = model::PortRange{2, 1};
  EXPECT_FALSE(format::read_request(body_of(format::write_request(backwards))));
  model::TimelineQuery wordy;
  wordy.command = std::string(9000, 'x');
  EXPECT_FALSE(format::read_request(body_of(format::write_request(wordy))));
  model::TimelineAnswer answer;
  answer.rows = {row()};
  answer.rows[0].socket.closed_us.reset();
  EXPECT_FALSE(format::read_reply(body_of(format::write_reply(answer))));
  // A reply is no request, and the other way round.
  EXPECT_FALSE(format::read_request(body_of(format::write_reply(status()))));
  EXPECT_FALSE(format::read_reply(body_of(format::write_request(query()))));
}

TEST(RecorderMessage, AnotherVersionIsToldApartFromGarbage) {
  std::string request = body_of(format::write_request(query()));
  request[0] = 2;
  const auto read = format::read_request(request);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, base::ErrorKind::kUnsupported);
}

TEST(RecorderMessage, SizesHaveLimits) {
  const auto size = [](const char* head) {
    return format::read_message_size(std::string_view(head, 4), format::kLongestRequest);
  };
  EXPECT_EQ(size("\5\0\0\0").value(), 5U);
  EXPECT_FALSE(size("\0\0\0\0"));
  EXPECT_FALSE(size("\1\0\1\0"));
  EXPECT_FALSE(size("\xff\xff\xff\xff"));
  EXPECT_FALSE(format::read_message_size("\5", 100));
}

}  // namespace
