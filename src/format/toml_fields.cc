#include "format/toml_fields.h"

#include <algorithm>

#include "base/nearest.h"
#include "base/text.h"

namespace format {

TomlFields::TomlFields(const TomlTable& table, std::initializer_list<std::string_view> keys)
    : table_(table) {
  for (const auto& [key, value] : table.values) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    std::string what = table.name.empty() ? "there is no key \"" + key + "\" before the tables"
                                          : "[" + table.name + "] has no key \"" + key + "\"";
    const std::string_view near = base::nearest_word(key, {keys.begin(), keys.size()});
    if (!near.empty()) what.append("; did you mean \"").append(near).append("\"?");
    blame(value.line, what);
  }
}

void TomlFields::blame(size_t line, const std::string& what) {
  if (!fault_) fault_ = toml_fail(line, what).error();
}

void TomlFields::blame(std::string_view key, const std::string& what) {
  const TomlValue* value = table_.find(key);
  blame(value == nullptr ? table_.line : value->line, what);
}

const TomlScalar* TomlFields::single(std::string_view key, TomlKind kind, std::string_view wanted) {
  const TomlValue* value = table_.find(key);
  if (value == nullptr) return nullptr;
  if (value->is_list || value->items.front().kind != kind) {
    blame(key, std::string(key) + " is not " + std::string(wanted));
    return nullptr;
  }
  return &value->items.front();
}

std::string TomlFields::text(std::string_view key, size_t limit_bytes) {
  const TomlScalar* found = single(key, TomlKind::kText, "a text in quotes");
  if (found == nullptr) return {};
  if (found->text.size() > limit_bytes) {
    blame(key, std::string(key) + " has " + std::to_string(found->text.size()) +
                   " bytes; at most " + std::to_string(limit_bytes) + " fit");
  }
  return found->text;
}

std::vector<TomlScalar> TomlFields::many(std::string_view key, size_t limit_bytes, bool numbers) {
  const TomlValue* value = table_.find(key);
  if (value == nullptr) return {};
  const std::string name(key);
  if (value->items.empty()) blame(key, name + " is an empty list");
  for (auto item = value->items.begin(); item != value->items.end(); ++item) {
    if (item->kind != TomlKind::kText && (!numbers || item->kind != TomlKind::kInteger)) {
      blame(item->line,
            name + (numbers ? " takes numbers and texts in quotes" : " takes texts in quotes"));
    } else if (item->kind == TomlKind::kText && item->text.empty()) {
      blame(item->line, name + " has an empty text");
    } else if (item->text.size() > limit_bytes) {
      blame(item->line,
            name + " has a text of more than " + std::to_string(limit_bytes) + " bytes");
    }
    const auto same = [&](const TomlScalar& other) {
      return other.kind == item->kind && other.text == item->text && other.integer == item->integer;
    };
    if (std::find_if(value->items.begin(), item, same) != item) {
      blame(item->line, name + " has the same value twice");
    }
  }
  return value->items;
}

std::vector<TomlScalar> TomlFields::texts(std::string_view key, size_t limit_bytes) {
  return many(key, limit_bytes, false);
}

std::vector<TomlScalar> TomlFields::scalars(std::string_view key, size_t limit_bytes) {
  return many(key, limit_bytes, true);
}

bool TomlFields::boolean(std::string_view key, bool otherwise) {
  const TomlScalar* found = single(key, TomlKind::kBoolean, "true or false");
  return found == nullptr ? otherwise : found->boolean;
}

int64_t TomlFields::integer(std::string_view key, int64_t least, int64_t most, int64_t otherwise) {
  const TomlScalar* found = single(key, TomlKind::kInteger, "a whole number");
  if (found == nullptr) return otherwise;
  if (found->integer < least || found->integer > most) {
    blame(key, std::string(key) + " is " + std::to_string(found->integer) + "; it takes " +
                   std::to_string(least) + " to " + std::to_string(most));
  }
  return found->integer;
}

}  // namespace format
