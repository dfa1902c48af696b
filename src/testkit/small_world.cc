#include "testkit/small_world.h"

#include "ports/merge.h"

namespace testkit {

model::Inventory SmallWorld::look() {
  auto inventory = ports::take_inventory(sockets, processes, {});
  model::Inventory out = std::move(inventory).value();
  for (model::Process& process : out.processes) {
    const auto found = packages.find(process.exe);
    if (found != packages.end() && !process.exe_elsewhere) process.package = found->second;
  }
  out.published = published;
  return out;
}

}  // namespace testkit
