// What is known of ports, as JSON: rows of the registry and entries of the known uses.
#pragma once

#include "base/json_writer.h"
#include "model/registry_entry.h"
#include "ports/known_uses.h"

namespace apps {

/// With `known_uses`, the ghost judgement is made and written too.
void write_registry_entry(base::JsonWriter& json, const model::RegistryEntry& entry,
                          const ports::KnownUses* known_uses);
void write_known_use(base::JsonWriter& json, const model::KnownUse& use);

}  // namespace apps
