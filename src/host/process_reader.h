// ProcessReader: ports::ProcessSource over /proc.
#pragma once

#include <memory>
#include <string>

#include "ports/process_source.h"

namespace host {

/// `proc_path` is "/proc" but in tests. Not thread-safe: it caches users and ancestors.
std::unique_ptr<ports::ProcessSource> make_process_reader(std::string proc_path = "/proc");

}  // namespace host
