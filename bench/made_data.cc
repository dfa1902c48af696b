#include "made_data.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace bench {

std::string make_page(std::mt19937_64& random) {
  static constexpr std::string_view kWords[] = {"pending", "shipped",  "Hauptstrasse", "customer",
                                                "invoice", "returned", "Main Street",  "warehouse"};
  std::string page(kPageBytes, '\0');
  size_t at = 24;
  const size_t used = kPageBytes * 6 / 10 + random() % (kPageBytes * 4 / 10 - 160);
  auto key = static_cast<uint32_t>(random());
  std::memcpy(page.data(), &key, sizeof(key));
  while (at < used) {
    ++key;
    char row[160];
    const int size = std::snprintf(
        row, sizeof(row), "%u|%llu|%s|%.2f|%016llx|%s;", key, 1'790'000'000ULL + uint64_t{key} * 7,
        kWords[random() % 8].data(), static_cast<double>(random() % 1'000'000) / 100,
        static_cast<unsigned long long>(random()), kWords[random() % 8].data());
    page.replace(at, static_cast<size_t>(size), row, static_cast<size_t>(size));
    at += static_cast<size_t>(size);
  }
  return page;
}

std::string make_text(std::mt19937_64& random, size_t size) {
  constexpr size_t kVocabulary = 4096;
  static const auto words = [] {
    std::mt19937_64 letters(1);
    std::array<std::string, kVocabulary> made;
    for (std::string& word : made) {
      const size_t length = 2 + letters() % 9;
      for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + letters() % 26);
    }
    return made;
  }();
  std::string text;
  text.reserve(size + 16);
  while (text.size() < size) {
    // The product of two dice: the first words come far more often than the last.
    const size_t word = (random() % kVocabulary) * (random() % kVocabulary) / kVocabulary;
    text += words[word];
    text += random() % 12 == 0 ? '\n' : ' ';
  }
  text.resize(size);
  return text;
}

std::string make_code(std::mt19937_64& random, size_t size) {
  constexpr size_t kPatterns = 512;
  static const auto patterns = [] {
    std::mt19937_64 bytes(2);
    std::array<std::string, kPatterns> made;
    for (std::string& pattern : made) {
      const size_t length = 2 + bytes() % 6;
      for (size_t i = 0; i < length; ++i) pattern += static_cast<char>(bytes() % 200);
    }
    return made;
  }();
  std::string code;
  code.reserve(size + 16);
  while (code.size() < size) {
    code += patterns[random() % kPatterns];
    if (random() % 3 == 0) code += static_cast<char>(random());
  }
  code.resize(size);
  return code;
}

std::string make_noise(std::mt19937_64& random, size_t size) {
  std::string noise(size, '\0');
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    const uint64_t bits = random();
    std::memcpy(noise.data() + at, &bits, std::min(sizeof bits, size - at));
  }
  return noise;
}

}  // namespace bench
