// The addresses of this machine's interfaces, in the network namespace of the calling thread.
#pragma once

#include <vector>

#include "model/address.h"

namespace host {

/// Empty when they cannot be read.
std::vector<model::IpAddress> local_addresses();

}  // namespace host
