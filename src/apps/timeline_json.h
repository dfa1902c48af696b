// Rows of the timeline as JSON: what `who --at`, `timeline` and `watch` share. Field names are a
// public contract, written down in docs/json.md and docs/schema.
#pragma once

#include <string_view>

#include "base/json_writer.h"
#include "ports/coverage.h"
#include "ports/past.h"
#include "ports/timeline.h"

namespace apps {

/// A row as an object of its own; further fields may be written before `end_object()`.
void begin_row(base::JsonWriter& json, const ports::TimelineRow& row);
/// Fields of one run of a recorder, into an object that is already open.
void write_totals(base::JsonWriter& json, const model::RecordingTotals& totals);
void write_gap(base::JsonWriter& json, const model::RecordedGap& gap);

/// The fields of an answer about the past, into an object that is already open.
void write_past(base::JsonWriter& json, const ports::PastAnswer& answer);

}  // namespace apps
