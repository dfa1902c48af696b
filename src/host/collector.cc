#include "host/collector.h"

#include <string>
#include <utility>

#include "host/bpf_collector.h"
#include "host/diag_collector.h"
#include "host/proc_collector.h"

namespace host {
namespace {

using Source = base::Result<std::unique_ptr<ports::SocketSource>>;

Source make_one(model::CollectorKind kind, std::string why, const ports::InventoryRequest& first) {
  switch (kind) {
    case model::CollectorKind::kBpf:
      return make_bpf_collector(std::move(why), first);
    case model::CollectorKind::kSockDiag:
      return make_diag_collector(std::move(why));
    case model::CollectorKind::kProc:
      return make_proc_collector(std::move(why));
  }
  return base::fail(base::ErrorKind::kUnsupported, "this program has no such collector");
}

}  // namespace

Source make_collector(std::optional<model::CollectorKind> kind,
                      const ports::InventoryRequest& first) {
  if (kind) return make_one(*kind, "asked for by name", first);
  std::string passed_over;
  Source source;
  for (const auto candidate :
       {model::CollectorKind::kBpf, model::CollectorKind::kSockDiag, model::CollectorKind::kProc}) {
    source = make_one(candidate, passed_over.empty() ? "the best there is" : passed_over, first);
    if (source) return source;
    if (!passed_over.empty()) passed_over += "; ";
    passed_over += "not " + std::string(model::collector_name(candidate)) + ": ";
    passed_over += source.error().message;
  }
  return base::fail(source.error().kind,
                    "no way to see this machine's sockets works here: " + passed_over);
}

}  // namespace host
