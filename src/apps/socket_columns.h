// The columns in which sockets can be shown and sorted: one table of definitions, used by `ports`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/table.h"
#include "apps/use_hints.h"
#include "model/inventory.h"
#include "model/verdict.h"

namespace apps {

/// What a column may look at.
struct SocketView {
  const model::Inventory& inventory;
  UseHints& hints;
  bool caller_is_root = false;
  /// Of the inventory's sockets, in their order; empty where no expectations are loaded.
  std::span<const model::Verdict> verdicts = {};

  /// nullptr where it was not judged. `socket` must be one of the inventory's.
  [[nodiscard]] const model::Verdict* verdict_of(const model::Socket& socket) const {
    return verdicts.empty() ? nullptr
                            : &verdicts[static_cast<size_t>(&socket - inventory.sockets.data())];
  }
};

struct SocketColumn {
  std::string_view name;  ///< as typed in --columns and --sort
  std::string_view header;
  std::string_view help;
  bool right = false;  ///< numbers
  size_t least = 0;    ///< see Column
  Cut cut = Cut::kEnd;
  unsigned spare = 0;  ///< see Column, where the columns were not chosen
  /// The cell, safe to print; "" is shown as "-".
  std::string (*text)(SocketView&, const model::Socket&);
  /// What to sort by before the text; null = the text alone.
  uint64_t (*number)(const SocketView&, const model::Socket&) = nullptr;
};

std::span<const SocketColumn> socket_columns();
const SocketColumn* find_socket_column(std::string_view name);
/// The column whose name is nearest to a mistyped one, or "".
std::string_view nearest_socket_column(std::string_view name);

/// Why nobody can be named as the holder, in a few words; "" where somebody can.
std::string_view holding_in_words(model::Holding holding, bool caller_is_root);

/// "0.0.0.0:22"; of a raw socket, which has no port, "0.0.0.0 (IP protocol 1)".
std::string endpoint_in_words(const model::Endpoint& endpoint, model::Protocol protocol);

}  // namespace apps
