#include "host/event_sources.h"

#include <string>

#include "host/bpf_events.h"
#include "host/destroy_events.h"

namespace host {
namespace {

using Source = base::Result<std::unique_ptr<ports::EventSource>>;

Source make_one(model::CollectorKind kind, uint32_t ring_bytes, const std::string& why) {
  switch (kind) {
    case model::CollectorKind::kBpf:
      return make_bpf_events({.ring_bytes = ring_bytes});
    case model::CollectorKind::kSockDiag:
      return make_destroy_events(why);
    case model::CollectorKind::kProc:
      return make_no_events(why);
  }
  return base::fail(base::ErrorKind::kUnsupported, "this program has no such source of events");
}

}  // namespace

Source make_event_source(std::optional<model::CollectorKind> kind, uint32_t ring_bytes) {
  if (kind) return make_one(*kind, ring_bytes, "asked for by name");
  std::string passed_over;
  for (const auto candidate : {model::CollectorKind::kBpf, model::CollectorKind::kSockDiag}) {
    auto source = make_one(candidate, ring_bytes, passed_over);
    if (source) return source;
    if (!passed_over.empty()) passed_over += "; ";
    passed_over += "not " + std::string(model::collector_name(candidate)) + ": ";
    passed_over += source.error().message;
  }
  return make_no_events(passed_over);
}

}  // namespace host
