// Command lines of interpreters: whatever the bytes, what is found stands among them, and never is
// the code of an inline script.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/script_argument.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  constexpr std::array<std::string_view, 8> kPrograms{"python3", "perl", "ruby", "bash",
                                                      "node",    "java", "php",  "deno"};
  for (const std::string_view program : kPrograms) {
    const model::Script script = format::find_script_argument(program, line);
    if (line.find(script.name) == std::string_view::npos) abort();
    const bool named =
        script.kind == model::ScriptKind::kFile || script.kind == model::ScriptKind::kModule;
    if (named == script.name.empty()) abort();
  }
  return 0;
}
