// An explanation as JSON. Field names are a public contract: docs/json.md and
// docs/schema/explain.schema.json.
#pragma once

#include "base/json_writer.h"
#include "model/inventory.h"
#include "ports/explain.h"
#include "ports/explain_range.h"

namespace apps {

/// The fields of one port, into an object that is already open. `attention` is of the whole answer,
/// of which an explanation may be a part.
void write_explanation(base::JsonWriter& json, const ports::Explanation& explanation,
                       bool attention);
/// The fields of several ports, likewise.
void write_range_explanation(base::JsonWriter& json, const ports::RangeExplanation& explanation,
                             bool attention);

/// A hold, with its programs; `ephemeral` shows its listeners by it too.
void write_hold(base::JsonWriter& json, const ports::Hold& hold);
/// The fields of a program: its pids, and its oldest process as `ports --json` shows one.
void write_program(base::JsonWriter& json, const ports::Program& program);

}  // namespace apps
