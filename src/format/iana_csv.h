// IANA's "Service Name and Transport Protocol Port Number Registry" as it publishes it in CSV
// (www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers.csv): RFC 4180,
// twelve columns, one row for a service, port (or range) and transport.
//
//   file   = [BOM] header *( row ) ; lines end in CRLF or LF
//   header = "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,"
//            "Registration Date,Modification Date,Reference,Service Code,"
//            "Unauthorized Use Reported,Assignment Notes"
//   ports  = "" / port / port "-" port
//
// A total function: any bytes give rows or an error that names the line.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/registry_entry.h"

namespace format {

inline constexpr size_t kIanaCsvMaxRecords = 200'000;
inline constexpr size_t kIanaCsvMaxFieldBytes = 16'384;

struct IanaCsv {
  /// In the order of the file. Their text lives in the parsed text and in `owned_text`. A row that
  /// names no transport stands for the port itself and appears twice, for TCP and for UDP.
  std::vector<model::RegistryEntry> rows;
  size_t records = 0;             ///< rows of the file, the header not counted
  size_t without_port = 0;        ///< service names that have no port; not in `rows`
  size_t unknown_transports = 0;  ///< transports that have no ports here; not in `rows`
  std::unique_ptr<std::deque<std::string>> owned_text =
      std::make_unique<std::deque<std::string>>();  ///< on the heap, so that no copy goes astray
};

/// `text` must outlive the result. Line breaks inside a field become single blanks, and IANA's
/// remark on a respelled service name moves from the description to the notes.
base::Result<IanaCsv> parse_iana_csv(std::string_view text);

}  // namespace format
