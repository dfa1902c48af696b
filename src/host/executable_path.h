// What /proc/PID/exe would say of a program that was started under some path and ended before
// anybody could look. The path given to execve() may be a symbolic link, or a script, whose
// interpreter is what really ran. Any thread.
#pragma once

#include <string>

namespace host {

/// The file behind an absolute path, as it is on disk now; "" where there is none any more, or
/// where the path is relative (to a folder that nobody knows). Follows "#!" as the kernel does
/// (fs/binfmt_script.c), up to its limit of nesting.
std::string executable_behind(const std::string& called);

}  // namespace host
