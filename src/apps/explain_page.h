// An explanation as a page for people: what is said in which order, and in which words.
#pragma once

#include <cstdint>

#include "apps/page.h"
#include "ports/explain.h"
#include "ports/explain_range.h"

namespace apps {

/// How much of long lists a page shows.
enum class PageLength : unsigned char { kShort, kFull };

/// `now_unix_s` tells how long a process has run; times are local (TZ).
Page explain_page(const ports::Explanation& explanation, int64_t now_unix_s, PageLength length);

/// Several ports at once, compact.
Page explain_range_page(const ports::RangeExplanation& explanation, PageLength length);

/// The section "Who holds it now".
PageSection holds_section(const ports::Explanation& explanation, int64_t now_unix_s,
                          PageLength length);

}  // namespace apps
