// The expectations of the configuration directory: read once by whoever judges.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/expectation.h"

namespace apps {

struct LoadedExpectations {
  std::vector<model::Expectation> all;  ///< each with its file and line
  std::vector<std::string> files;       ///< in the order in which they were read
  /// Without any file nothing is judged; a file with nothing in it expects nothing.
  [[nodiscard]] bool loaded() const { return !files.empty(); }
};

/// CONFIG/expectations.toml, then CONFIG/expectations.d/*.toml by name. Files that are not there
/// are no error; one that cannot be read or taken is, with its name and line.
base::Result<LoadedExpectations> load_expectations(const std::string& config_directory);

/// One file; kNotFound where it is not there.
base::Result<LoadedExpectations> load_expectations_file(const std::string& path);

std::string expectations_file(const std::string& config_directory);

}  // namespace apps
