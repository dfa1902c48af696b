// Room for what may be a hundred thousand rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace base {

/// Makes room for at least one more. Room that is never used costs nothing but addresses, while
/// doubling would copy all rows again and again: so it grows in few and large steps.
template <class T>
void make_room(std::vector<T>& rows) {
  constexpr size_t kFirst = 1024;
  constexpr size_t kGrowth = 16;
  if (rows.size() == rows.capacity()) rows.reserve(std::max(kFirst, rows.size() * kGrowth));
}

}  // namespace base
