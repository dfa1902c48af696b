#include "apps/style.h"

namespace apps {
namespace {

// ECMA-48 SGR. The eight classic colours follow the user's own palette; faint is widely ignored by
// old terminals, which then show plain text.
std::string_view code_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return {};
    case Tone::kStrong:
      return "\033[1m";
    case Tone::kFaint:
      return "\033[2m";
    case Tone::kGood:
      return "\033[32m";
    case Tone::kWarning:
      return "\033[33m";
    case Tone::kBad:
      return "\033[31m";
  }
  return {};
}

}  // namespace

void Style::append(std::string& out, std::string_view text, Tone tone) const {
  if (!colour_ || tone == Tone::kPlain || text.empty()) {
    out += text;
    return;
  }
  out += code_of(tone);
  out += text;
  out += "\033[0m";
}

std::string Style::operator()(std::string_view text, Tone tone) const {
  std::string out;
  append(out, text, tone);
  return out;
}

}  // namespace apps
