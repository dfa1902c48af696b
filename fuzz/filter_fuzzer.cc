// Filters and port arguments: text that a person or a script passes in.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "ports/filter.h"
#include "ports/port_query.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const model::Inventory kInventory = [] {
    model::Inventory inventory;
    inventory.sockets.resize(2);
    inventory.sockets[0].owner_count = 1;
    inventory.sockets[1].local.port = 22;
    inventory.owners.resize(1);
    inventory.processes.resize(1);
    inventory.processes[0].command = "sshd";
    return inventory;
  }();
  const auto check = [](const base::Error& error) {
    // Whatever came in, what goes out is safe to print.
    for (const char c : error.message) {
      const auto value = static_cast<unsigned char>(c);
      if ((value < 0x20 && c != '\n') || value == 0x7F) __builtin_trap();
    }
    if (!base::is_valid_utf8(error.message)) __builtin_trap();
  };
  if (const auto filter = ports::Filter::parse(text)) {
    for (const auto& socket : kInventory.sockets) (void)filter->matches(kInventory, socket);
    (void)filter->port_bounds();
  } else {
    check(filter.error());
  }
  if (const auto query = ports::parse_port_query(text)) {
    if (query->ports.empty() == query->name.empty()) __builtin_trap();
  } else {
    check(query.error());
  }
  return 0;
}
