// dpkg's files: every answer must lie inside the text. The first byte picks the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/dpkg_database.h"

namespace {

void must_lie_in(std::string_view part, std::string_view whole) {
  if (part.empty()) return;
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) {
    abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 4 == 0) {
    format::PathSet paths;
    paths.add("/bin/a", 1);
    paths.add("/usr/bin/b", 2);
    paths.scan(text, [](size_t tag) {
      if (tag != 1 && tag != 2) abort();
    });
  } else if (data[0] % 4 == 1) {
    for (const auto& diversion : format::parse_diversions(text)) {
      must_lie_in(diversion.from, text);
      must_lie_in(diversion.to, text);
      must_lie_in(diversion.package, text);
    }
  } else if (data[0] % 4 == 2) {
    const auto stanzas = format::find_stanzas(text, {{"a", ""}, {"a", "amd64"}, {"bc", ""}});
    if (stanzas.size() != 3) abort();
    for (const auto& stanza : stanzas) {
      must_lie_in(stanza.version, text);
      must_lie_in(stanza.conffiles, text);
      if (const auto sum = format::find_conffile_md5(stanza.conffiles, "/e")) {
        if (sum->size() != 32) abort();
        must_lie_in(*sum, text);
      }
    }
  } else if (const auto sum = format::find_md5(text, "/b")) {
    if (sum->size() != 32) abort();
    must_lie_in(*sum, text);
  }
  return 0;
}
