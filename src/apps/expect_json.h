// Expectations as JSON: the pieces of which the output of `expect ...` is made. Field names are a
// public contract, written down in docs/json.md and docs/schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "model/expectation.h"

namespace apps {

void write_strings(base::JsonWriter& json, std::string_view key,
                   const std::vector<std::string>& texts);

/// Where it is written and who answers for it, or null where there is none or it is not written.
void write_expectation_place(base::JsonWriter& json, std::string_view name,
                             const model::Expectation* expectation);

/// The fields of one expectation, into an object that the caller begins and ends.
void write_expectation_fields(base::JsonWriter& json, const model::Expectation& one);

}  // namespace apps
