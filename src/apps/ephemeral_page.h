// The ephemeral report as a page for people, and as JSON (docs/json.md).
#pragma once

#include "apps/page.h"
#include "base/json_writer.h"
#include "ports/ephemeral.h"

namespace apps {

/// `top`: how many destinations, programs and listeners are listed.
Page ephemeral_page(const ports::EphemeralReport& report, unsigned top);
/// What to do, the page's last section.
PageSection ephemeral_advice_section(const ports::EphemeralReport& report);
/// The fields of the report, into an object that is already open.
void write_ephemeral(base::JsonWriter& json, const ports::EphemeralReport& report, unsigned top);

}  // namespace apps
