// Records of the recorder's ring: whatever is taken is an event whose parts cannot be absurd.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "format/event_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto event = format::read_event(std::span(reinterpret_cast<const std::byte*>(data), size));
  if (!event) return 0;
  if (const auto* socket = std::get_if<model::SocketEvent>(&*event)) {
    if (socket->cookie == 0 || socket->actor.pid < 0 || socket->creator.pid < 0) abort();
    if (socket->local.address.family != socket->remote.address.family) abort();
    if (model::protocol_name(socket->protocol).empty()) abort();
  } else if (const auto* process = std::get_if<model::ProcessEvent>(&*event)) {
    if (process->exe.size() > EVENT_EXE_BYTES || process->parent_pid < 0) abort();
  }
  return 0;
}
