#include "format/written_time.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace format {
namespace {

constexpr size_t kLongestText = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

base::Result<WrittenTime> refuse(std::string why) {
  return base::fail(base::ErrorKind::kUsage, std::move(why));
}

// Reads from the front of a text. The first thing that does not exist is kept in `why`.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool read(WrittenTime& out) {
    skip_weekday();
    const size_t digits = digits_ahead();
    const char after = digits < rest_.size() ? rest_[digits] : '\0';
    if (digits >= 9 && digits <= 11) return take_epoch(digits, out);
    if (digits == 8 && (after == 'T' || after == 't')) return take_compact(out);
    if (digits == 4) return take_year_first(out);
    if (digits >= 1 && after == ':') return take_clock(out) && take_zone(out) && rest_.empty();
    if (digits >= 1) return take_day_first(out);
    return take_month_first(out);
  }

  const std::string& why() const { return why_; }

 private:
  size_t digits_ahead() const {
    size_t count = 0;
    while (count < rest_.size() && is_digit(rest_[count])) ++count;
    return count;
  }
  size_t letters_ahead() const {
    size_t count = 0;
    while (count < rest_.size() && is_letter(rest_[count])) ++count;
    return count;
  }
  bool take(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_blanks() {
    const size_t before = rest_.size();
    while (take(' ') || take('\t')) continue;
    return rest_.size() != before;
  }
  std::optional<int> take_number(size_t fewest, size_t most) {
    const size_t count = std::min(digits_ahead(), most);
    if (count < fewest) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) value = value * 10 + (c - '0');
    rest_.remove_prefix(count);
    return value;
  }
  bool impossible(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }

  void skip_weekday() {
    constexpr std::array<std::string_view, 7> kDays{"Mon", "Tue", "Wed", "Thu",
                                                    "Fri", "Sat", "Sun"};
    if (letters_ahead() != 3) return;
    const auto same = [this](std::string_view day) {
      return base::equals_ignoring_case(day, rest_.substr(0, 3));
    };
    if (std::none_of(kDays.begin(), kDays.end(), same)) return;
    rest_.remove_prefix(3);
    take(',');
    take_blanks();
  }

  std::optional<int> take_month_name() {
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (letters_ahead() != 3) return std::nullopt;
    for (size_t i = 0; i < kMonths.size(); ++i) {
      if (!base::equals_ignoring_case(kMonths[i], rest_.substr(0, 3))) continue;
      rest_.remove_prefix(3);
      return static_cast<int>(i + 1);
    }
    return std::nullopt;
  }

  // Without a year, a leap year is assumed: 29 February may exist.
  bool set_date(std::optional<int> year, int month, int day, WrittenTime& out) {
    constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12) {
      return impossible("there is no month " + std::to_string(month));
    }
    const int y = year.value_or(2000);
    const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    const int days = month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
    if (day < 1 || day > days) {
      return impossible("that month has no day " + std::to_string(day));
    }
    out.has_date = true;
    out.has_year = year.has_value();
    out.fields.tm_year = y - 1900;
    out.fields.tm_mon = month - 1;
    out.fields.tm_mday = day;
    return true;
  }

  bool set_clock(int hour, int minute, int second, WrittenTime& out) {
    if (hour > 23) return impossible("there is no hour " + std::to_string(hour));
    if (minute > 59) return impossible("there is no minute " + std::to_string(minute));
    if (second > 60) return impossible("there is no second " + std::to_string(second));
    out.leap_second = second == 60;
    out.fields.tm_hour = hour;
    out.fields.tm_min = minute;
    out.fields.tm_sec = out.leap_second ? 59 : second;
    return true;
  }

  bool take_fraction(WrittenTime& out) {
    if (!take('.') && !take(',')) return true;
    const size_t digits = digits_ahead();
    if (digits == 0) return false;
    for (size_t i = 0; i < 6 && i < digits; ++i) {
      out.resolution_us /= 10;
      out.fraction_us += (rest_[i] - '0') * out.resolution_us;
    }
    rest_.remove_prefix(digits);
    return true;
  }

  bool take_clock(WrittenTime& out) {
    const auto hour = take_number(1, 2);
    if (!hour || !take(':')) return false;
    const auto minute = take_number(2, 2);
    if (!minute) return false;
    if (!take(':')) {
      out.resolution_us *= 60;
      return set_clock(*hour, *minute, 0, out);
    }
    const auto second = take_number(2, 2);
    return second && set_clock(*hour, *minute, *second, out) && take_fraction(out);
  }

  bool take_zone(WrittenTime& out) {
    take_blanks();
    const size_t letters = letters_ahead();
    if (letters != 0) {
      const std::string_view name = rest_.substr(0, letters);
      rest_.remove_prefix(letters);
      const auto is = [name](std::string_view other) {
        return base::equals_ignoring_case(name, other);
      };
      if (is("Z") || is("UTC") || is("GMT")) {
        out.offset_s = 0;
      } else {
        out.zone = name;
      }
      take_blanks();
      return true;
    }
    if (rest_.empty() || (rest_.front() != '+' && rest_.front() != '-')) return true;
    const bool behind = rest_.front() == '-';
    rest_.remove_prefix(1);
    const auto hours = take_number(2, 2);
    take(':');
    const auto minutes = take_number(2, 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return false;
    const int seconds = *hours * 3600 + *minutes * 60;
    out.offset_s = behind ? -seconds : seconds;
    take_blanks();
    return true;
  }

  bool take_clock_zone_end(WrittenTime& out) {
    return take_clock(out) && take_zone(out) && rest_.empty();
  }

  bool take_epoch(size_t digits, WrittenTime& out) {
    out.epoch_s = base::parse_number<int64_t>(rest_.substr(0, digits));
    rest_.remove_prefix(digits);
    return out.epoch_s && take_fraction(out) && rest_.empty();
  }

  bool take_compact(WrittenTime& out) {
    const auto year = take_number(4, 4);
    const auto month = take_number(2, 2);
    const auto day = take_number(2, 2);
    if (!year || !month || !day || !set_date(*year, *month, *day, out)) return false;
    rest_.remove_prefix(1);
    const auto hour = take_number(2, 2);
    const auto minute = take_number(2, 2);
    if (!hour || !minute) return false;
    const auto second = take_number(2, 2);
    if (!second) out.resolution_us *= 60;
    return set_clock(*hour, *minute, second.value_or(0), out) && (!second || take_fraction(out)) &&
           take_zone(out) && rest_.empty();
  }

  bool take_year_first(WrittenTime& out) {
    const auto year = take_number(4, 4);
    const char separator = rest_.empty() ? '\0' : rest_.front();
    if (separator != '-' && separator != '/') return false;
    rest_.remove_prefix(1);
    const auto month = take_number(2, 2);
    if (!month || !take(separator)) return false;
    const auto day = take_number(2, 2);
    if (!day || !set_date(*year, *month, *day, out)) return false;
    if (!take('T') && !take('t') && !take_blanks()) return false;
    return take_clock_zone_end(out);
  }

  bool take_day_first(WrittenTime& out) {
    const auto day = take_number(1, 2);
    const char separator = rest_.empty() ? '\0' : rest_.front();
    const bool blanks = take_blanks();
    if (!blanks && !take('/') && !take('-')) return false;
    const auto month = take_month_name();
    if (!month || (blanks ? !take_blanks() : !take(separator))) return false;
    const auto year = take_number(4, 4);
    if (!year || !set_date(*year, *month, *day, out)) return false;
    if (!take(':') && !take_blanks()) return false;
    return take_clock_zone_end(out);
  }

  // Here the year stands behind the zone, or nowhere.
  bool take_month_first(WrittenTime& out) {
    const auto month = take_month_name();
    if (!month || !take_blanks()) return false;
    const auto day = take_number(1, 2);
    if (!day || !take_blanks() || !take_clock(out) || !take_zone(out)) return false;
    std::optional<int> year;
    if (!rest_.empty()) {
      year = take_number(4, 4);
      if (!year) return false;
    }
    return set_date(year, *month, *day, out) && rest_.empty();
  }

  std::string_view rest_;
  std::string why_;
};

}  // namespace

base::Result<WrittenTime> read_written_time(std::string_view text) {
  text = base::trim(text);
  if (text.size() > kLongestText) return refuse("it is too long");
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = base::trim(text.substr(1, text.size() - 2));
  }
  WrittenTime out;
  Reader reader(text);
  if (reader.read(out)) return out;
  return refuse(reader.why().empty() ? "no date and time was found in it" : reader.why());
}

}  // namespace format
