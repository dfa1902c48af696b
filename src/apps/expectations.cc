#include "apps/expectations.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "format/expectation_toml.h"

namespace apps {
namespace {

base::Result<std::vector<std::string>> files_of(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  if (error) return base::fail_errno("cannot read the folder " + folder, error.value());
  for (const std::filesystem::directory_iterator end; entries != end; entries.increment(error)) {
    if (error) return base::fail_errno("cannot read the folder " + folder, error.value());
    const std::string path = entries->path().string();
    // An editor's own files (".expectations.toml.swp", ".#mine.toml") are not meant.
    if (path.ends_with(".toml") && !entries->path().filename().string().starts_with('.')) {
      out.push_back(path);
    }
  }
  std::ranges::sort(out);
  return out;
}

base::Result<void> add_file(const std::string& path, LoadedExpectations& into) {
  const auto text = base::read_file(path.c_str(), format::kExpectationsMaxBytes);
  if (!text) return std::unexpected(text.error());
  auto found = format::parse_expectations(*text);
  if (!found) return base::fail(found.error().kind, path + ": " + found.error().message);
  for (model::Expectation& one : *found) {
    one.file = path;
    into.all.push_back(std::move(one));
  }
  into.files.push_back(path);
  return {};
}

}  // namespace

std::string expectations_file(const std::string& config_directory) {
  return config_directory + "/expectations.toml";
}

base::Result<LoadedExpectations> load_expectations_file(const std::string& path) {
  LoadedExpectations out;
  if (auto added = add_file(path, out); !added) return std::unexpected(added.error());
  return out;
}

base::Result<LoadedExpectations> load_expectations(const std::string& config_directory) {
  LoadedExpectations out;
  const auto one = add_file(expectations_file(config_directory), out);
  if (!one && one.error().kind != base::ErrorKind::kNotFound) return std::unexpected(one.error());
  const auto more = files_of(config_directory + "/expectations.d");
  if (!more) return std::unexpected(more.error());
  for (const std::string& path : *more) {
    if (auto added = add_file(path, out); !added) return std::unexpected(added.error());
  }
  return out;
}

}  // namespace apps
