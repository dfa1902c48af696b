// The two sentences that open an explanation. Pure.
#pragma once

#include <string>

namespace ports {

struct Explanation;

/// Who holds the port, for somebody who reads no further. Needs holds, published, behind_published.
std::string headline(const Explanation& explanation);
/// What the port is and who uses it. Needs facts, registrations, uses.
std::string summary(const Explanation& explanation);

}  // namespace ports
