// The elements of an nf_tables set or map as ranges of keys. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "format/nft_message.h"

namespace ports {

/// Keys between `first` and `last`, each field of them on its own.
struct NftChoice {
  std::string first;
  std::string last;
  const format::NftData* data = nullptr;  ///< what a map holds for them; lives in the set
  bool catchall = false;                  ///< every key that no other element has
};

/// A set with intervals lists beginnings and ends; they are paired here.
std::vector<NftChoice> nft_choices(const format::NftSet& set);

}  // namespace ports
