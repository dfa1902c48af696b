// Expectations as people write them: docs/formats/expectations.md is the format, and
// format/toml_subset.h the subset of TOML that it is written in. Any bytes give expectations or an
// error that begins with "line N: ".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/expectation.h"

namespace format {

inline constexpr size_t kExpectationsMaxBytes = 4U << 20U;  ///< of one file
inline constexpr size_t kExpectationMaxText = 400;          ///< bytes of `why` and of `owner`
inline constexpr size_t kExpectationMaxName = 255;          ///< bytes of a unit, user, ...
inline constexpr size_t kExpectationMaxPath = 4095;

/// Every expectation carries its line; its `file` is left empty.
base::Result<std::vector<model::Expectation>> parse_expectations(std::string_view text);

/// parse_expectations() reads back what this writes. All texts must be valid UTF-8
/// (can_be_written()).
std::string write_expectation(const model::Expectation& expectation);
bool can_be_written(std::string_view text);

/// "any", "loopback", "10.0.0.0/8", "10.0.0.5", "fd00::/8"; an error says what is wrong. A network
/// with bits set behind its length is refused: it was most likely meant otherwise.
base::Result<model::Scope> parse_scope(std::string_view text);

}  // namespace format
