// What the recorder and those who ask it say to each other over its local socket.
// docs/formats/recorder-socket.md says who may ask what.
//
//   stream  = *message
//   message = size:u32 body                      ; size of the body
//   body    = version:u8 kind:u8 content         ; all numbers little-endian
//   content = query                              ; kFind, kWatch
//           | nothing                            ; kStatus
//           | answer | status | batch | error    ; kAnswer, kStatusIs, kBatch, kError
//
//   text    = size:u32 *byte      list(x) = count:u32 *x      maybe(x) = (0:u8 | 1:u8 x)
//   address = family:u8 *16 byte  endpoint = address port:u16  window = from:i64 until:i64
//
// The order of fields is that of the functions in recorder_message.cc, one for each struct of
// model/timeline.h. Any change of it takes a new kRecorderMessageVersion: both ends are usually the
// same program, and where they are not, both say so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "model/timeline.h"

namespace format {

inline constexpr uint8_t kRecorderMessageVersion = 1;
inline constexpr size_t kMessageHeadBytes = 4;
/// No person's question is longer.
inline constexpr size_t kLongestRequest = size_t{64} << 10U;
inline constexpr size_t kLongestReply = size_t{64} << 20U;

struct StatusRequest {};
struct WatchRequest {
  model::TimelineQuery query;  ///< which rows; its times and its limit mean nothing
};
using RecorderRequest = std::variant<model::TimelineQuery, StatusRequest, WatchRequest>;

struct StatusReply {
  model::RecorderStatus recorder;
  std::optional<model::TimelineStatus> timeline;  ///< nothing: it could not be read just now
};
using RecorderReply =
    std::variant<model::TimelineAnswer, StatusReply, model::WatchBatch, base::Error>;

/// A whole message, size included.
std::string write_request(const RecorderRequest& request);
std::string write_reply(const RecorderReply& reply);

/// The size of the body from the first kMessageHeadBytes bytes; kCorrupt when it is 0 or larger
/// than `longest`.
base::Result<size_t> read_message_size(std::string_view head, size_t longest);
/// A body. kUnsupported for another version, kCorrupt for anything that breaks the grammar.
base::Result<RecorderRequest> read_request(std::string_view body);
base::Result<RecorderReply> read_reply(std::string_view body);

}  // namespace format
