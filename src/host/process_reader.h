// ProcessReader: ports::ProcessSource over /proc.
#pragma once

#include <memory>
#include <string>

#include "ports/process_source.h"

namespace host {

/// `proc_path` is "/proc" but in tests. Not thread-safe. Users and parents are cached for as long
/// as the reader lives, so make one for each inventory.
std::unique_ptr<ports::ProcessSource> make_process_reader(const std::string& proc_path = "/proc");

}  // namespace host
