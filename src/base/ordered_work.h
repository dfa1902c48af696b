// Texts made by several threads at a time and used in order.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace base {

/// Calls make(0) to make(count - 1), in any order and on several threads, the calling one among
/// them, and use() with each text in order, on any of them but never on two at a time; few texts
/// stand in memory at once. Ends early when use() answers false. Neither may throw. Where no thread
/// can be started, the calling one does it all.
void make_in_order(size_t count, const std::function<std::string(size_t)>& make,
                   const std::function<bool(std::string)>& use);

}  // namespace base
