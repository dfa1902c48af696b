#include "ports/time_query.h"

#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "base/text.h"

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

// The parts of a written date and time; what was left out is 0.
struct Written {
  std::tm date{};
  int64_t fraction_us = 0;
  int64_t resolution_us = kSecondUs;  // what the last written digit stands for
  std::optional<int> offset_s;        // from UTC; nothing = local time
};

std::optional<int> take_digits(std::string_view& rest, size_t count) {
  if (rest.size() < count) return std::nullopt;
  const auto value = base::parse_number<unsigned>(rest.substr(0, count));
  if (!value) return std::nullopt;
  rest.remove_prefix(count);
  return static_cast<int>(*value);
}

bool take(std::string_view& rest, char expected) {
  if (rest.empty() || rest.front() != expected) return false;
  rest.remove_prefix(1);
  return true;
}

bool in_range(int value, int low, int high) { return value >= low && value <= high; }

int days_of_month(int year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

bool take_date(std::string_view& rest, std::tm& date) {
  const auto year = take_digits(rest, 4);
  if (!year || !take(rest, '-')) return false;
  const auto month = take_digits(rest, 2);
  if (!month || !in_range(*month, 1, 12) || !take(rest, '-')) return false;
  const auto day = take_digits(rest, 2);
  if (!day || !in_range(*day, 1, days_of_month(*year, *month))) return false;
  date.tm_year = *year - 1900;
  date.tm_mon = *month - 1;
  date.tm_mday = *day;
  return true;
}

bool take_fraction(std::string_view& rest, Written& out) {
  if (!take(rest, '.') && !take(rest, ',')) return true;
  size_t digits = 0;
  while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') ++digits;
  if (digits == 0) return false;
  for (size_t i = 0; i < 6 && i < digits; ++i) {
    out.resolution_us /= 10;
    out.fraction_us += (rest[i] - '0') * out.resolution_us;
  }
  rest.remove_prefix(digits);
  return true;
}

bool take_clock(std::string_view& rest, Written& out) {
  const auto hour = take_digits(rest, 2);
  if (!hour || !in_range(*hour, 0, 23) || !take(rest, ':')) return false;
  const auto minute = take_digits(rest, 2);
  if (!minute || !in_range(*minute, 0, 59)) return false;
  out.date.tm_hour = *hour;
  out.date.tm_min = *minute;
  if (!take(rest, ':')) {
    out.resolution_us = 60 * kSecondUs;
    return true;
  }
  const auto second = take_digits(rest, 2);
  // A leap second is written as 60 and is, to every Linux clock, the next second.
  if (!second || !in_range(*second, 0, 60)) return false;
  out.date.tm_sec = *second;
  return take_fraction(rest, out);
}

bool take_offset(std::string_view& rest, Written& out) {
  if (rest.empty()) return true;
  if (take(rest, 'Z') || take(rest, 'z')) {
    out.offset_s = 0;
    return true;
  }
  const bool behind = rest.front() == '-';
  if (!take(rest, '+') && !take(rest, '-')) return false;
  const auto hours = take_digits(rest, 2);
  take(rest, ':');
  const auto minutes = take_digits(rest, 2);
  if (!hours || !minutes || !in_range(*hours, 0, 23) || !in_range(*minutes, 0, 59)) return false;
  const int seconds = *hours * 3600 + *minutes * 60;
  out.offset_s = behind ? -seconds : seconds;
  return true;
}

std::optional<Written> read_written(std::string_view text) {
  Written out;
  if (!take_date(text, out.date)) return std::nullopt;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  if (!take_clock(text, out)) return std::nullopt;
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (!take_offset(text, out) || !text.empty()) return std::nullopt;
  return out;
}

bool same_fields(const std::tm& left, const std::tm& right) {
  return left.tm_year == right.tm_year && left.tm_mon == right.tm_mon &&
         left.tm_mday == right.tm_mday && left.tm_hour == right.tm_hour &&
         left.tm_min == right.tm_min && left.tm_sec % 60 == right.tm_sec % 60;
}

// Every moment whose local reading is this one: none in a skipped hour, two in a repeated one.
std::vector<int64_t> local_moments(const std::tm& written) {
  std::vector<int64_t> out;
  for (const int daylight_saving : {1, 0}) {
    std::tm fields = written;
    fields.tm_isdst = daylight_saving;
    const time_t moment = ::mktime(&fields);
    std::tm back{};
    if (moment == -1 || ::localtime_r(&moment, &back) == nullptr) continue;
    if (!same_fields(written, back) || (!out.empty() && out.front() == moment)) continue;
    out.push_back(moment);
  }
  return out;
}

model::TimeWindow window_of(int64_t second, const Written& written) {
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
  const auto written = read_written(text);
  if (!written) return refuse(text, "no date and time was found in it");
  if (written->offset_s) {
    std::tm fields = written->date;
    return std::vector<model::TimeWindow>{
        window_of(::timegm(&fields) - *written->offset_s, *written)};
  }
  const auto moments = local_moments(written->date);
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
