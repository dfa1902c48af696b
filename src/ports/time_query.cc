#include "ports/time_query.h"

#include <array>
#include <ctime>
#include <utility>

#include "base/text.h"
#include "format/written_time.h"

namespace ports {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kFractionSlackUs = 10'000;

base::Result<std::vector<model::TimeWindow>> refuse(std::string_view text, std::string_view why) {
  return base::fail(base::ErrorKind::kUsage,
                    "\"" + base::escape_for_terminal(text) +
                        "\" is not a time that can be taken: " + std::string(why) +
                        ". Write it as 2026-11-22T12:03:11Z, 2026-11-22 12:03:11 (local time), or "
                        "-10m for ten minutes ago");
}

bool same_fields(const std::tm& left, const std::tm& right) {
  return left.tm_year == right.tm_year && left.tm_mon == right.tm_mon &&
         left.tm_mday == right.tm_mday && left.tm_hour == right.tm_hour &&
         left.tm_min == right.tm_min && left.tm_sec == right.tm_sec;
}

// Every moment whose local reading is this one: none in a skipped hour, two in a repeated one. With
// a zone's name ("CET"), only those at which this machine's clocks show it.
std::vector<int64_t> local_moments(const std::tm& written, std::string_view zone) {
  std::vector<int64_t> out;
  for (const int daylight_saving : {1, 0}) {
    std::tm fields = written;
    fields.tm_isdst = daylight_saving;
    fields.tm_wday = -1;  // -1 is a moment too; what mktime leaves as it was says that it failed
    const time_t moment = ::mktime(&fields);
    std::tm back{};
    if (fields.tm_wday == -1 || ::localtime_r(&moment, &back) == nullptr) continue;
    if (!same_fields(written, back) || (!out.empty() && out.front() == moment)) continue;
    if (!zone.empty() && !base::equals_ignoring_case(zone, back.tm_zone)) continue;
    out.push_back(moment);
  }
  return out;
}

std::vector<int64_t> moments_of(const format::WrittenTime& written, const std::tm& date) {
  std::vector<int64_t> out;
  if (written.offset_s) {
    std::tm fields = date;
    out.push_back(::timegm(&fields) - *written.offset_s);
  } else {
    out = local_moments(date, written.zone);
  }
  if (written.leap_second) {
    for (int64_t& moment : out) ++moment;
  }
  return out;
}

// The newest moments, not after now, that a date without year or a time without date can mean.
std::vector<int64_t> newest_moments(const format::WrittenTime& written, int64_t now_us) {
  const time_t now_s = now_us / kSecondUs + written.offset_s.value_or(0);
  std::tm today{};
  const bool known = written.offset_s ? ::gmtime_r(&now_s, &today) != nullptr
                                      : ::localtime_r(&now_s, &today) != nullptr;
  if (!known) return {};
  constexpr int kYearsToLeap = 8;  // 29 February may be that long ago
  for (int back = 0; back <= kYearsToLeap; ++back) {
    std::tm date = written.fields;
    date.tm_year = today.tm_year - (written.has_date ? back : 0);
    if (!written.has_date) {
      std::tm day = today;
      day.tm_mday -= back;
      day.tm_hour = 12;
      ::timegm(&day);  // only carries over into month and year
      date.tm_year = day.tm_year;
      date.tm_mon = day.tm_mon;
      date.tm_mday = day.tm_mday;
    }
    std::tm carried = date;
    ::timegm(&carried);
    if (carried.tm_mday != date.tm_mday) continue;  // 29 February of a common year
    auto found = moments_of(written, date);
    std::erase_if(found, [now_us](int64_t moment) { return moment > now_us / kSecondUs; });
    if (!found.empty()) return found;
  }
  return {};
}

model::TimeWindow window_of(int64_t second, const format::WrittenTime& written) {
  const int64_t start = second * kSecondUs + written.fraction_us;
  const int64_t slack = written.resolution_us == kSecondUs  ? kSecondUs
                        : written.resolution_us > kSecondUs ? 0
                                                            : kFractionSlackUs;
  return {start - slack, start + written.resolution_us - 1 + slack};
}

base::Result<std::vector<model::TimeWindow>> parse_relative(std::string_view text, int64_t now_us) {
  const char unit = text.back();
  const auto count = base::parse_number<uint32_t>(text.substr(1, text.size() - 2));
  int64_t seconds = 0;
  if (unit == 's') seconds = 1;
  if (unit == 'm') seconds = 60;
  if (unit == 'h') seconds = 3600;
  if (unit == 'd') seconds = 86400;
  if (!count || seconds == 0) return refuse(text, "after \"-\" comes a number and s, m, h or d");
  const int64_t moment = now_us - int64_t{*count} * seconds * kSecondUs;
  return std::vector<model::TimeWindow>{{moment - kSecondUs, moment + kSecondUs}};
}

}  // namespace

base::Result<std::vector<model::TimeWindow>> parse_time(std::string_view text, int64_t now_us) {
  text = base::trim(text);
  if (text.empty()) return refuse(text, "it is empty");
  if (base::equals_ignoring_case(text, "now")) {
    return std::vector<model::TimeWindow>{{now_us - kSecondUs, now_us + kSecondUs}};
  }
  if (text.front() == '-') return parse_relative(text, now_us);
  const auto written = format::read_written_time(text);
  if (!written) return refuse(text, written.error().message);
  std::vector<int64_t> moments;
  if (written->epoch_s) {
    moments.push_back(*written->epoch_s);
  } else if (written->has_year) {
    moments = moments_of(*written, written->fields);
  } else {
    moments = newest_moments(*written, now_us);
  }
  if (moments.empty() && !written->zone.empty()) {
    return refuse(text, "the zone \"" + base::escape_for_terminal(written->zone) +
                            "\" is not what this machine's clocks show then; write UTC or an "
                            "offset such as +01:00");
  }
  if (moments.empty()) {
    return refuse(text, "this machine's time zone skips it (the clocks went forward)");
  }
  std::vector<model::TimeWindow> out;
  for (const int64_t moment : moments) out.push_back(window_of(moment, *written));
  return out;
}

namespace {

// Splits so that times before 1970 keep a positive fraction.
std::pair<time_t, int64_t> split(int64_t time_us) {
  int64_t second = time_us / kSecondUs;
  int64_t fraction = time_us % kSecondUs;
  if (fraction < 0) {
    fraction += kSecondUs;
    --second;
  }
  return {second, fraction};
}

std::string formatted(const std::tm& fields, const char* format) {
  std::array<char, 64> text{};
  const size_t length = ::strftime(text.data(), text.size(), format, &fields);
  return {text.data(), length};
}

std::string fraction_text(int64_t fraction_us, int digits) {
  if (digits <= 0) return "";
  std::string text = std::to_string(kSecondUs + fraction_us).substr(1);
  text.resize(static_cast<size_t>(digits < 6 ? digits : 6));
  return "." + text;
}

}  // namespace

std::string local_time_text(int64_t time_us, int digits) {
  const auto [second, fraction] = split(time_us);
  std::tm fields{};
  if (::localtime_r(&second, &fields) == nullptr) return "an unknown time";
  return formatted(fields, "%Y-%m-%d %H:%M:%S") + fraction_text(fraction, digits) +
         formatted(fields, " %Z");
}

std::string between_in_words(model::TimeWindow window, int digits) {
  const std::string from = local_time_text(window.from_us, digits);
  const std::string until = local_time_text(window.until_us, digits);
  const size_t date = from.find(' ');
  const size_t zone = from.rfind(' ');
  const bool same_day = date < zone && from.size() == until.size() &&
                        from.substr(0, date) == until.substr(0, date) &&
                        from.substr(zone) == until.substr(zone);
  if (!same_day) return "between " + from + " and " + until;
  return "between " + from.substr(date + 1, zone - date - 1) + " and " + until.substr(date + 1) +
         " on " + from.substr(0, date);
}

std::string rfc3339(int64_t time_us) {
  const auto [second, fraction] = split(time_us);
  std::tm fields{};
  if (::gmtime_r(&second, &fields) == nullptr) return "";
  return formatted(fields, "%Y-%m-%dT%H:%M:%S") + fraction_text(fraction, 6) + "Z";
}

}  // namespace ports
