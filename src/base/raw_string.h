// Strings that are about to be written over: filling a mebibyte with zeros first costs a tenth of
// what it takes to open a sealed one.
#pragma once

#include <string>

namespace base {

/// Gives `text` this size. What it held is kept as far as it was; of the rest every byte must be
/// written before it is read.
inline void resize_raw(std::string& text, size_t size) {
  // libstdc++ 12 hands the grown capacity on instead of the size that was asked for.
  text.resize_and_overwrite(size, [size](char*, size_t) { return size; });
}

inline std::string raw_string(size_t size) {
  std::string out;
  resize_raw(out, size);
  return out;
}

}  // namespace base
