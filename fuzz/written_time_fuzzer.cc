// Times as logs write them: what is taken lies within its limits.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/written_time.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto time =
      format::read_written_time(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!time) return 0;
  const std::tm& fields = time->fields;
  if (fields.tm_hour < 0 || fields.tm_hour > 23 || fields.tm_min < 0 || fields.tm_min > 59) abort();
  if (fields.tm_sec < 0 || fields.tm_sec > 59 || (time->has_year && !time->has_date)) abort();
  if (time->has_date && (fields.tm_mon < 0 || fields.tm_mon > 11)) abort();
  if (time->has_date && (fields.tm_mday < 1 || fields.tm_mday > 31)) abort();
  if (time->fraction_us < 0 || time->fraction_us > 999'999 || time->resolution_us < 1) abort();
  if (time->offset_s && (*time->offset_s <= -86400 || *time->offset_s >= 86400)) abort();
  if (time->epoch_s && *time->epoch_s < 0) abort();
  return 0;
}
