// What is known of ports, as JSON: rows of the registry and entries of the known uses.
#pragma once

#include <span>

#include "base/json_writer.h"
#include "model/registry_entry.h"
#include "ports/ghost.h"

namespace apps {

/// `protocols` are those on which the row stands alike; `ghost` null = not judged, not written.
void write_registration(base::JsonWriter& json, const model::RegistryEntry& entry,
                        std::span<const model::Protocol> protocols,
                        const ports::GhostJudgement* ghost);
void write_known_use(base::JsonWriter& json, const model::KnownUse& use);

}  // namespace apps
