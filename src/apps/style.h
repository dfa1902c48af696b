// Style: emphasis for terminals, and nothing at all elsewhere. Text must already be escaped.
#pragma once

#include <string>
#include <string_view>

namespace apps {

/// What a piece of text means, never what colour it has.
enum class Tone : unsigned char { kPlain, kStrong, kFaint, kGood, kWarning, kBad };

class Style {
 public:
  explicit Style(bool colour = false) : colour_(colour) {}
  [[nodiscard]] bool colour() const { return colour_; }
  /// Appends `text` between the terminal's codes for `tone`, or plain.
  void append(std::string& out, std::string_view text, Tone tone) const;
  [[nodiscard]] std::string operator()(std::string_view text, Tone tone) const;

 private:
  bool colour_;
};

}  // namespace apps
