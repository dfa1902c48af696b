#include "apps/look.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ports/merge.h"

namespace apps {
namespace {

using Published = base::Result<model::PublishedPorts>;

void add_published(Published found, model::Inventory& inventory, Machine& machine) {
  if (!found) {
    inventory.report.blind_spots.push_back(
        "Ports that the packet filter sends elsewhere are not shown: " + found.error().message +
        ".");
    // Where no rights were missing, what root asks for and does not get may change the answer; a
    // system without the packet filter has nothing to hide in it.
    if (machine.caller_is_root() && found.error().kind != base::ErrorKind::kUnsupported) {
      inventory.report.complete = false;
    }
    return;
  }
  inventory.published = std::move(found->ports);
  std::ranges::move(found->blind_spots, std::back_inserter(inventory.report.blind_spots));
}

void add_packages(model::Inventory& inventory, bool verify, Context& context) {
  std::vector<std::string> exes;
  for (const model::Process& process : inventory.processes) {
    if (!process.exe.empty() && !process.exe_elsewhere) exes.push_back(process.exe);
  }
  std::ranges::sort(exes);
  const auto again = std::ranges::unique(exes);
  exes.erase(again.begin(), again.end());
  if (exes.empty()) return;
  const std::string& state = context.state_directory;
  const host::PackageCaches caches{.names = state + "/package-names",
                                   .checksums = state + "/package-checks"};
  const bool lists = context.machine().has_package_lists();
  const auto findings = context.machine().find_packages(exes, verify, caches);
  for (model::Process& process : inventory.processes) {
    const auto at = std::ranges::lower_bound(exes, process.exe);
    if (process.exe_elsewhere || at == exes.end() || *at != process.exe) continue;
    const host::PackageFinding& finding = findings[static_cast<size_t>(at - exes.begin())];
    process.package = finding.package;
    process.package_looked_up = lists;
    process.package_version = finding.version;
    // The file that runs is gone; what now lies at its path proves nothing about it.
    if (!process.exe_deleted) process.package_check = finding.check;
  }
}

/// `published` counts where the request asks for it.
void complete(model::Inventory& inventory, Published published, const LookRequest& request,
              Context& context) {
  if (request.published) add_published(std::move(published), inventory, context.machine());
  if (request.packages || request.verify) add_packages(inventory, request.verify, context);
}

}  // namespace

uint32_t own_namespace(const model::Inventory& inventory) {
  const auto own = std::ranges::find_if(inventory.namespaces, &model::NetNamespace::own);
  return own == inventory.namespaces.end() ? 0 : own->inode;
}

base::Result<model::Inventory> look(const LookRequest& request, Context& context) {
  Machine& machine = context.machine();
  auto source = machine.make_socket_source(request.collector, request.inventory);
  if (!source) return std::unexpected(source.error());
  Published published;
  const auto meanwhile = [&](const model::Inventory& so_far) {
    if (request.published) published = machine.published_ports(own_namespace(so_far));
  };
  auto inventory =
      ports::take_inventory(**source, machine.processes(), request.inventory, meanwhile);
  if (inventory) complete(*inventory, std::move(published), request, context);
  return inventory;
}

void complete_inventory(model::Inventory& inventory, const LookRequest& request, Context& context) {
  Published published;
  if (request.published) published = context.machine().published_ports(own_namespace(inventory));
  complete(inventory, std::move(published), request, context);
}

}  // namespace apps
