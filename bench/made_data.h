// Contents for benchmarks of backups, made from a seed.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace bench {

inline constexpr size_t kPageBytes = 8192;

/// A page as a database has them: rows of numbers, words that repeat and words that do not, and
/// free space at its end.
std::string make_page(std::mt19937_64& random);

/// Lines of words, as in logs and documents; some more frequent than others.
std::string make_text(std::mt19937_64& random, size_t size);

/// Few different bytes in short patterns that come again, as in programs.
std::string make_code(std::mt19937_64& random, size_t size);

std::string make_noise(std::mt19937_64& random, size_t size);

}  // namespace bench
