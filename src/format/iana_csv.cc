#include "format/iana_csv.h"

#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace format {
namespace {

constexpr size_t kColumns = 12;
constexpr std::array<std::string_view, kColumns> kHeader{
    "Service Name", "Port Number",  "Transport Protocol",        "Description",
    "Assignee",     "Contact",      "Registration Date",         "Modification Date",
    "Reference",    "Service Code", "Unauthorized Use Reported", "Assignment Notes"};
constexpr std::string_view kOldUnauthorizedColumn = "Known Unauthorized Uses";  // before about 2016
constexpr std::string_view kRespelled =
    "IANA assigned this well-formed service name as a replacement for";

struct Field {
  std::string_view raw;  // without the outer quotes
  bool doubled_quotes = false;
};

struct Record {
  std::array<Field, kColumns> fields;
  size_t line = 0;  // where it begins
};

std::unexpected<base::Error> fail_at(size_t line, const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt, "line " + std::to_string(line) + ": " + what);
}

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 40;
  return '"' + base::escape_for_terminal(text.substr(0, kShown)) +
         (text.size() > kShown ? "...\"" : "\"");
}

// Cuts the text into records and fields; knows nothing of what they mean.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] size_t line() const { return line_; }

  base::Result<Record> next() {
    Record record;
    record.line = line_;
    for (size_t column = 0;; ++column) {
      if (column == kColumns) {
        return fail_at(record.line, "more than 12 columns; a field with a comma needs quotes");
      }
      auto field = take_field();
      if (!field) return std::unexpected(field.error());
      record.fields[column] = *field;
      if (take(',')) continue;
      if (column + 1 < kColumns) {
        return fail_at(record.line, std::to_string(column + 1) +
                                        " columns; every row of IANA's CSV file has 12");
      }
      take_line_end();
      return record;
    }
  }

 private:
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void take_line_end() {
    take('\r');
    take('\n');
    ++line_;
  }

  base::Result<Field> take_field() {
    Field field;
    const size_t line = line_;
    if (take('"')) {
      auto quoted_field = take_quoted(line);
      if (!quoted_field) return quoted_field;
      field = *quoted_field;
    } else {
      field.raw = rest_.substr(0, rest_.find_first_of(",\r\n"));
      if (field.raw.contains('"')) {
        return fail_at(line, "a quote inside " + quoted(field.raw) +
                                 "; such a field is quoted whole and its quotes are doubled");
      }
      rest_.remove_prefix(field.raw.size());
    }
    if (!rest_.empty() && rest_.front() != ',' && rest_.front() != '\n' &&
        !rest_.starts_with("\r\n")) {
      return fail_at(line_, "a stray carriage return or text after a closing quote");
    }
    if (field.raw.size() > kIanaCsvMaxFieldBytes) {
      return fail_at(line, "a field of " + std::to_string(field.raw.size()) +
                               " bytes; this is not IANA's file");
    }
    return field;
  }

  // From behind the opening quote to behind the closing one.
  base::Result<Field> take_quoted(size_t opened_on) {
    Field field;
    size_t end = rest_.find('"');
    while (end != std::string_view::npos && rest_.substr(end + 1, 1) == "\"") {
      field.doubled_quotes = true;
      end = rest_.find('"', end + 2);
    }
    if (end == std::string_view::npos) return fail_at(opened_on, "a quote that is never closed");
    field.raw = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    for (const char c : field.raw) line_ += c == '\n' ? 1 : 0;
    return field;
  }

  std::string_view rest_;
  size_t line_ = 1;
};

// Collapses what RFC 4180 and IANA's layout put around the words: doubled quotes, line breaks and
// the indentation that follows them.
std::string cleaned(std::string_view raw, bool doubled_quotes) {
  std::string out;
  out.reserve(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (c == '\n' || c == '\r' || c == '\t' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
      continue;
    }
    if (c == '"' && doubled_quotes) ++i;
    out += c;
  }
  return std::string(base::trim(out));
}

class RowBuilder {
 public:
  explicit RowBuilder(IanaCsv& out) : out_(out) {}

  base::Result<void> add(const Record& record) {
    if (++out_.records > kIanaCsvMaxRecords) {
      return fail_at(record.line, "more than " + std::to_string(kIanaCsvMaxRecords) +
                                      " rows; this is not IANA's file");
    }
    std::array<std::string_view, kColumns> text;
    for (size_t column = 0; column < kColumns; ++column) {
      text[column] = view(record.fields[column]);
      if (!base::is_valid_utf8(text[column]) || text[column].contains('\0')) {
        return fail_at(record.line, "the " + std::string(kHeader[column]) + " is not UTF-8 text");
      }
    }
    if (text[1].empty()) {
      ++out_.without_port;
      return {};
    }
    const auto ports = model::parse_port_range(text[1]);
    if (!ports) {
      return fail_at(record.line, "the port number is " + quoted(text[1]) +
                                      "; expected 0 to 65535 or a range such as 6000-6063");
    }
    add_rows(*ports, text);
    return {};
  }

 private:
  void add_rows(model::PortRange ports, const std::array<std::string_view, kColumns>& text) {
    model::RegistryEntry entry{.ports = ports,
                               .service = text[0],
                               .description = text[3],
                               .assignee = text[4],
                               .contact = text[5],
                               .registered = text[6],
                               .modified = text[7],
                               .reference = text[8],
                               .unauthorized = text[10],
                               .notes = text[11]};
    move_remark(entry);
    if (text[2].empty()) {
      entry.protocol = model::Protocol::kTcp;
      out_.rows.push_back(entry);
      entry.protocol = model::Protocol::kUdp;
      out_.rows.push_back(entry);
      return;
    }
    const auto protocol = model::protocol_from_name(text[2]);
    if (!protocol || *protocol == model::Protocol::kRaw) {
      ++out_.unknown_transports;
      return;
    }
    entry.protocol = *protocol;
    out_.rows.push_back(entry);
  }

  [[nodiscard]] std::string_view keep(std::string text) const {
    return out_.owned_text->emplace_back(std::move(text));
  }

  std::string_view view(const Field& field) {
    const std::string_view raw = base::trim(field.raw);
    if (!field.doubled_quotes && !raw.contains('\n') && !raw.contains('\t')) return raw;
    return keep(cleaned(raw, field.doubled_quotes));
  }

  void move_remark(model::RegistryEntry& entry) {
    const size_t at = entry.description.find(kRespelled);
    if (at == std::string_view::npos) return;
    const std::string_view remark = entry.description.substr(at);
    entry.description = base::trim(entry.description.substr(0, at));
    entry.notes =
        entry.notes.empty() ? remark : keep(std::string(remark) + ' ' + std::string(entry.notes));
  }

  IanaCsv& out_;
};

base::Result<void> check_header(const Record& record) {
  for (size_t column = 0; column < kColumns; ++column) {
    const std::string_view name = record.fields[column].raw;
    if (name == kHeader[column]) continue;
    if (column == 10 && name == kOldUnauthorizedColumn) continue;
    return fail_at(1, "column " + std::to_string(column + 1) + " is " + quoted(name) +
                          ", expected \"" + std::string(kHeader[column]) +
                          "\"; take service-names-port-numbers.csv from www.iana.org");
  }
  return {};
}

}  // namespace

base::Result<IanaCsv> parse_iana_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  CsvReader reader(text);
  if (reader.at_end()) return fail_at(1, "the file is empty");
  const auto header = reader.next();
  if (!header) return std::unexpected(header.error());
  if (auto checked = check_header(*header); !checked) return std::unexpected(checked.error());
  IanaCsv out;
  RowBuilder builder(out);
  while (!reader.at_end()) {
    const auto record = reader.next();
    if (!record) return std::unexpected(record.error());
    if (auto added = builder.add(*record); !added) return std::unexpected(added.error());
  }
  return out;
}

}  // namespace format
