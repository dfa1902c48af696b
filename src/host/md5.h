// MD5 of files, because that is what dpkg records. It finds accidents and clumsy changes; whoever
// can change a program as root can change dpkg's record of it too.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace host {

/// 32 lower-case hexadecimal digits.
std::string md5_of(std::string_view bytes);

/// Of all that can be read from the descriptor's present position on.
base::Result<std::string> md5_of_file(int fd);

}  // namespace host
