#include "format/recorder_message.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "format/byte_stream.h"

namespace format {
namespace {

using base::ErrorKind;
using model::TimelineRow;

enum class Kind : uint8_t {
  kFind = 1,
  kStatus = 2,
  kWatch = 3,
  kAnswer = 17,
  kStatusIs = 18,
  kBatch = 19,
  kError = 20,
};

// Texts are names of processes, paths and sentences; no honest one comes near this.
constexpr size_t kLongestText = 8192;
constexpr size_t kMostWindows = 64;

// Types of this file's own, so that put() and get() find each other wherever they are defined.
class Out final : public ByteWriter {};
class In final : public ByteReader {
  using ByteReader::ByteReader;
};

// ---- small things ------------------------------------------------------------------------------

void put(Out& out, const std::string& text) { out.text(text); }
void get(In& in, std::string& text) { text = in.text(kLongestText); }

void put(Out& out, bool value) { out.boolean(value); }
void get(In& in, bool& value) { value = in.boolean(); }

template <std::integral T>
void put(Out& out, T value) {
  out.number(value);
}
template <std::integral T>
void get(In& in, T& value) {
  value = in.number<T>();
}

/// The first and the last number of an enumeration without holes.
template <class Enum>
constexpr std::pair<Enum, Enum> kBounds;
template <>
constexpr std::pair kBounds<model::SocketRole>{model::SocketRole::kListener,
                                               model::SocketRole::kRefused};
template <>
constexpr std::pair kBounds<model::OwnerProof>{model::OwnerProof::kNone,
                                               model::OwnerProof::kInherited};
template <>
constexpr std::pair kBounds<model::CollectorKind>{model::CollectorKind::kBpf,
                                                  model::CollectorKind::kProc};
template <>
constexpr std::pair kBounds<ErrorKind>{ErrorKind::kUsage, ErrorKind::kIo};

template <class Enum>
  requires std::is_enum_v<Enum>
void put(Out& out, Enum value) {
  out.number(static_cast<uint8_t>(value));
}
template <class Enum>
  requires std::is_enum_v<Enum>
void get(In& in, Enum& value) {
  const auto number = in.number<uint8_t>();
  if (number < static_cast<uint8_t>(kBounds<Enum>.first) ||
      number > static_cast<uint8_t>(kBounds<Enum>.second)) {
    return in.fail();
  }
  value = static_cast<Enum>(number);
}
void get(In& in, model::Protocol& protocol) {
  const auto found = static_cast<model::Protocol>(in.number<uint8_t>());
  if (model::protocol_name(found).empty()) return in.fail();
  protocol = found;
}

void put(Out& out, const model::IpAddress& address) {
  put(out, address.family);
  out.bytes(address.bytes);
}
void get(In& in, model::IpAddress& address) {
  const auto family = in.number<uint8_t>();
  if (family != 4 && family != 6) return in.fail();
  address.family = static_cast<model::Family>(family);
  const std::string_view bytes = in.raw(address.bytes.size());
  if (bytes.size() != address.bytes.size()) return;
  std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  const auto padding = std::span(address.bytes).subspan(family == 4 ? 4 : 16);
  if (std::ranges::any_of(padding, [](uint8_t byte) { return byte != 0; })) in.fail();
}

template <class T>
void put(Out& out, const std::optional<T>& value) {
  out.boolean(value.has_value());
  if (value) put(out, *value);
}
template <class T>
void get(In& in, std::optional<T>& value) {
  value.reset();
  if (in.boolean()) get(in, value.emplace());
}

template <class T>
void put(Out& out, const std::vector<T>& list) {
  out.number(static_cast<uint32_t>(list.size()));
  for (const T& one : list) put(out, one);
}
template <class T>
void get(In& in, std::vector<T>& list) {
  // Nothing in a list is smaller, and reading ends with the first one that is not there.
  const size_t count = in.count(4);
  list.clear();
  for (size_t i = 0; i < count && in.ok(); ++i) get(in, list.emplace_back());
}

// ---- the fields of each struct, in the order in which they are written
// ---------------------------

template <class T, class Of>
concept Maybe = std::same_as<std::remove_const_t<T>, Of>;

void fields(auto& each, Maybe<model::Endpoint> auto& of) { each(of.address, of.port); }
void fields(auto& each, Maybe<model::PortRange> auto& of) { each(of.first, of.last); }
void fields(auto& each, Maybe<model::TimeWindow> auto& of) { each(of.from_us, of.until_us); }
void fields(auto& each, Maybe<model::TrafficTotals> auto& of) {
  each(of.bytes_sent, of.bytes_received, of.rtt_us, of.retransmits);
}
void fields(auto& each, Maybe<model::RecordedProcess> auto& of) {
  each(of.id, of.boot, of.pid, of.start_time_ns, of.uid, of.user, of.command, of.exe, of.unit,
       of.container, of.parent_pid, of.parent_command);
}
void fields(auto& each, Maybe<model::RecordedSocket> auto& of) {
  each(of.cookie, of.boot, of.netns, of.interface, of.protocol, of.role, of.local, of.remote,
       of.opened_boot_us, of.opened_us, of.closed_boot_us, of.closed_us, of.opened_before,
       of.close_unseen, of.error, of.proof, of.owner_reason, of.owner, of.creator, of.also_held_by,
       of.totals);
}
void fields(auto& each, Maybe<TimelineRow> auto& of) {
  each(of.socket, of.owner, of.creator, of.also_held_by);
}
void fields(auto& each, Maybe<model::RecordedGap> auto& of) {
  each(of.boot, of.from_us, of.until_us, of.kind, of.lost);
}
void fields(auto& each, Maybe<model::PortPolicy> auto& of) {
  each(of.ephemeral, of.reserved, of.unprivileged_start, of.known);
}
void fields(auto& each, Maybe<model::RecordedPolicy> auto& of) {
  each(of.boot, of.since_us, of.policy);
}
void fields(auto& each, Maybe<model::TimelineQuery> auto& of) {
  each(of.windows, of.port, of.local_port, of.local_address, of.remote_address, of.remote_port,
       of.protocol, of.pid, of.uid, of.command, of.limit);
}
void fields(auto& each, Maybe<WatchRequest> auto& of) { each(of.query); }
void fields(auto&, Maybe<StatusRequest> auto&) {}
void fields(auto& each, Maybe<model::TimelineAnswer> auto& of) {
  each(of.rows, of.more, of.gaps, of.policies, of.oldest_us, of.recorded_until_us);
}
void fields(auto& each, Maybe<model::TimelineStatus> auto& of) {
  each(of.oldest_us, of.recorded_until_us, of.sockets, of.open_sockets, of.processes, of.size_bytes,
       of.events_lost);
}
void fields(auto& each, Maybe<model::CollectorReport> auto& of) {
  each(of.kind, of.why, of.blind_spots, of.complete, of.processes_hidden);
}
void fields(auto& each, Maybe<model::LossCounters> auto& of) {
  each(of.ring_full, of.recursion_misses, of.storage_full);
}
void fields(auto& each, Maybe<model::RecordingTotals> auto& of) {
  each(of.events, of.sockets, of.looks, of.lost, of.rows_dropped, of.writes_failed);
}
void fields(auto& each, Maybe<model::RecorderStatus> auto& of) {
  each(of.pid, of.begun_us, of.collector, of.totals, of.sockets_open, of.unwritten_rows,
       of.trouble);
}
void fields(auto& each, Maybe<StatusReply> auto& of) { each(of.recorder, of.timeline); }
void fields(auto& each, Maybe<model::WatchBatch> auto& of) { each(of.rows, of.gaps, of.skipped); }
void fields(auto& each, Maybe<base::Error> auto& of) { each(of.kind, of.message); }

template <class T>
  requires std::is_class_v<T>
void put(Out& out, const T& value) {
  const auto each = [&](const auto&... field) { (put(out, field), ...); };
  fields(each, value);
}

// What must hold between the fields of a struct.
template <class T>
bool is_sound(const T&) {
  return true;
}
bool is_sound(const model::PortRange& range) { return range.first <= range.last; }
bool is_sound(const model::RecordedSocket& socket) {
  return socket.closed_us.has_value() == socket.closed_boot_us.has_value();
}
bool is_sound(const model::TimelineQuery& query) { return query.windows.size() <= kMostWindows; }

template <class T>
  requires std::is_class_v<T>
void get(In& in, T& value) {
  const auto each = [&](auto&... field) { (get(in, field), ...); };
  fields(each, value);
  if (!is_sound(value)) in.fail();
}

// ---- messages ----------------------------------------------------------------------------------

template <class Content>
std::string message(Kind kind, const Content& content) {
  Out out;
  out.number<uint32_t>(0);
  out.number(kRecorderMessageVersion);
  out.number(static_cast<uint8_t>(kind));
  put(out, content);
  std::string bytes = out.take();
  const auto size = static_cast<uint32_t>(bytes.size() - kMessageHeadBytes);
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes;
}

std::unexpected<base::Error> broken(const char* what) {
  return base::fail(ErrorKind::kCorrupt, std::string("read a ") + what +
                                             " on the recorder's socket: it breaks the "
                                             "grammar");
}

base::Result<Kind> read_kind(In& in) {
  const auto version = in.number<uint8_t>();
  if (in.ok() && version != kRecorderMessageVersion) {
    return base::fail(ErrorKind::kUnsupported, "speak to the recorder: one of us speaks version " +
                                                   std::to_string(version) + " and the other " +
                                                   std::to_string(kRecorderMessageVersion) +
                                                   "; restart the recorder with this twinport");
  }
  return static_cast<Kind>(in.number<uint8_t>());
}

template <class Message, class Content>
base::Result<Message> read_whole(In& in, const char* what) {
  Content content;
  get(in, content);
  if (!in.done()) return broken(what);
  return Message(std::move(content));
}

}  // namespace

std::string write_request(const RecorderRequest& request) {
  if (const auto* query = std::get_if<model::TimelineQuery>(&request)) {
    return message(Kind::kFind, *query);
  }
  if (const auto* watch = std::get_if<WatchRequest>(&request)) {
    return message(Kind::kWatch, *watch);
  }
  return message(Kind::kStatus, StatusRequest{});
}

std::string write_reply(const RecorderReply& reply) {
  if (const auto* answer = std::get_if<model::TimelineAnswer>(&reply)) {
    return message(Kind::kAnswer, *answer);
  }
  if (const auto* batch = std::get_if<model::WatchBatch>(&reply)) {
    return message(Kind::kBatch, *batch);
  }
  if (const auto* error = std::get_if<base::Error>(&reply)) {
    base::Error shorter = *error;
    shorter.message.resize(std::min(shorter.message.size(), kLongestText));
    return message(Kind::kError, shorter);
  }
  return message(Kind::kStatusIs, std::get<StatusReply>(reply));
}

base::Result<size_t> read_message_size(std::string_view head, size_t longest) {
  In in(head);
  const auto size = in.number<uint32_t>();
  if (!in.done() || size == 0 || size > longest) return broken("size");
  return size;
}

base::Result<RecorderRequest> read_request(std::string_view body) {
  if (body.size() > kLongestRequest) return broken("request");
  In in(body);
  const auto kind = read_kind(in);
  if (!kind) return std::unexpected(kind.error());
  switch (*kind) {
    case Kind::kFind:
      return read_whole<RecorderRequest, model::TimelineQuery>(in, "request");
    case Kind::kStatus:
      return read_whole<RecorderRequest, StatusRequest>(in, "request");
    case Kind::kWatch:
      return read_whole<RecorderRequest, WatchRequest>(in, "request");
    default:
      return broken("request");
  }
}

base::Result<RecorderReply> read_reply(std::string_view body) {
  if (body.size() > kLongestReply) return broken("reply");
  In in(body);
  const auto kind = read_kind(in);
  if (!kind) return std::unexpected(kind.error());
  switch (*kind) {
    case Kind::kAnswer:
      return read_whole<RecorderReply, model::TimelineAnswer>(in, "reply");
    case Kind::kStatusIs:
      return read_whole<RecorderReply, StatusReply>(in, "reply");
    case Kind::kBatch:
      return read_whole<RecorderReply, model::WatchBatch>(in, "reply");
    case Kind::kError:
      return read_whole<RecorderReply, base::Error>(in, "reply");
    default:
      return broken("reply");
  }
}

}  // namespace format
