// The known word that a mistyped one most likely meant, for "did you mean ...?".
#pragma once

#include <span>
#include <string_view>

namespace base {

/// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours; case
/// ignored), or "" when none is near: at most one edit in three letters, or `word` begins it.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace base
