// The inventory as JSON: the pieces of which the output of `ports`, `who` and others is made. Field
// names are a public contract, written down in docs/json.md and docs/schema.
#pragma once

#include <span>
#include <string>

#include "base/json_writer.h"
#include "model/inventory.h"
#include "model/verdict.h"

namespace apps {

/// "2026-11-22T15:42:00Z".
std::string utc_time(int64_t unix_s);

/// `name`: a string, or null where it is empty.
void write_text(base::JsonWriter& json, std::string_view name, std::string_view text);
/// `name`: an address and a port, or null where both are zero.
void write_endpoint(base::JsonWriter& json, std::string_view name, const model::Endpoint& endpoint);
void write_port_range(base::JsonWriter& json, std::string_view name, model::PortRange range);

/// Which collector looked, and what it could not see.
void write_collector(base::JsonWriter& json, const model::CollectorReport& report);
void write_namespace(base::JsonWriter& json, const model::NetNamespace& netns);
void write_process(base::JsonWriter& json, const model::Process& process);
void write_published(base::JsonWriter& json, const model::PublishedPort& published);
/// With its verdict where it was judged.
void write_socket(base::JsonWriter& json, const model::Inventory& inventory,
                  const model::Socket& socket, const model::Verdict* verdict = nullptr);

std::string_view package_check_name(model::PackageCheck check);  ///< JSON word

}  // namespace apps
