// An answer about the past as parts of a page for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/page.h"
#include "ports/past.h"

namespace apps {

/// "Who held it then", "Who was last seen holding it", "Who tried", "Who was connected to it", "Not
/// recorded"; those with nothing to say are empty. Rows of other network namespaces say so. Times
/// are local.
std::vector<PageSection> past_sections(const ports::PastAnswer& answer);

/// "0.52 ms", "3.2 s", "2 hours": how long a socket lived.
std::string lifetime_in_words(int64_t lasted_us);

}  // namespace apps
