// JsonWriter: appends JSON to a buffer and hands full blocks to a sink, so that a hundred thousand
// sockets never stand in memory as text. One writer belongs to one thread. Nesting is the caller's
// duty and is asserted in debug builds. A byte that is not valid UTF-8 is written as the lone
// surrogate \udcXX (XX = the byte), which is Python's surrogateescape: nothing is lost, and the
// output is always valid ASCII-safe JSON text.
#pragma once

#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace base {

class JsonWriter {
 public:
  /// Called with blocks of finished text; may be called many times and at the end by finish().
  using Sink = std::function<void(std::string_view)>;
  explicit JsonWriter(Sink sink);

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  /// `name` must need no escaping and be short: one of our own field names.
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& number(int64_t value);
  JsonWriter& number_unsigned(uint64_t value);
  JsonWriter& decimal(double value, int digits);
  JsonWriter& boolean(bool value) { return literal(value ? "true" : "false"); }
  JsonWriter& null() { return literal("null"); }

  // A field in one call. The overload set is closed on purpose: no silent int-to-bool.
  JsonWriter& field(std::string_view name, std::string_view text) { return key(name).string(text); }
  JsonWriter& field(std::string_view name, const char* text) { return key(name).string(text); }
  JsonWriter& field(std::string_view name, const std::string& text) {
    return key(name).string(text);
  }
  JsonWriter& field(std::string_view name, uint64_t value) {
    return key(name).number_unsigned(value);
  }
  JsonWriter& field(std::string_view name, uint32_t value) {
    return key(name).number_unsigned(value);
  }
  JsonWriter& field(std::string_view name, uint16_t value) {
    return key(name).number_unsigned(value);
  }
  JsonWriter& field(std::string_view name, int64_t value) { return key(name).number(value); }
  JsonWriter& field(std::string_view name, int32_t value) { return key(name).number(value); }
  JsonWriter& field(std::string_view name, bool value) { return key(name).boolean(value); }

  /// A line break between records, for people who look at the raw output.
  JsonWriter& newline();

  /// Appends elements of the present array, made by json_elements(): at least one.
  JsonWriter& elements(std::string_view text);

  /// Writes a final line break and flushes. The writer must be back at the outermost level.
  void finish();

 private:
  friend std::string json_elements(const std::function<void(JsonWriter&)>& write);
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& literal(std::string_view text);
  void append(std::string_view text);
  void append_escaped(std::string_view text);
  /// Makes sure that so many bytes (few) can be written at `end_`.
  void make_room(size_t bytes) {
    if (static_cast<size_t>(limit_ - end_) < bytes) flush();
  }
  /// What stands between two values; for one that takes so many bytes (few), there is room after.
  void begin_value(size_t bytes) {
    make_room(bytes + 2);
    if (needs_comma_) *end_++ = ',';
    if (breaks_line_) *end_++ = '\n';
    needs_comma_ = true;
    breaks_line_ = false;
  }
  void put(std::string_view text) { end_ += text.copy(end_, text.size()); }
  void flush();

  Sink sink_;
  std::unique_ptr<char[]> buffer_;
  char* end_;
  char* limit_;
  size_t depth_ = 0;
  bool breaks_line_ = false;  ///< newline() was called and nothing written since
  bool needs_comma_ = false;  ///< a value of the present object or array stands before
};

// What is written of each of a hundred thousand sockets is worth being inlined: names and literals
// are constants, and become a few moves.

inline JsonWriter& JsonWriter::open(char bracket) {
  begin_value(1);
  *end_++ = bracket;
  ++depth_;
  needs_comma_ = false;
  return *this;
}

inline JsonWriter& JsonWriter::close(char bracket) {
  assert(depth_ > 0);
  --depth_;
  make_room(2);
  if (breaks_line_) *end_++ = '\n';
  *end_++ = bracket;
  breaks_line_ = false;
  needs_comma_ = true;
  return *this;
}

inline JsonWriter& JsonWriter::literal(std::string_view text) {
  begin_value(text.size());
  put(text);
  return *this;
}

inline JsonWriter& JsonWriter::key(std::string_view name) {
  begin_value(name.size() + 3);
  *end_++ = '"';
  put(name);
  put("\":");
  needs_comma_ = false;
  return *this;
}

/// The elements that `write` adds to an array, as text for JsonWriter::elements(). So another
/// thread may write a part of an array.
std::string json_elements(const std::function<void(JsonWriter&)>& write);

}  // namespace base
