#include "ports/nft_choices.h"

#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace ports {
namespace {

/// The bytes before `key`, taken as a big-endian number. `key` is not all zero.
std::string predecessor(std::string key) {
  for (size_t at = key.size(); at-- > 0;) {
    if (key[at]-- != '\0') break;
  }
  return key;
}

/// An interval set is a list of beginnings and ends, each end excluded.
std::vector<NftChoice> intervals_of(const format::NftSet& set) {
  std::vector<const format::NftElement*> sorted;
  sorted.reserve(set.elements.size());
  for (const auto& element : set.elements) sorted.push_back(&element);
  const auto is_end = [](const format::NftElement* element) {
    return (element->flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  };
  // Where one interval ends and the next begins, the end comes first.
  std::ranges::sort(sorted, {}, [&](const format::NftElement* element) {
    return std::pair(std::string_view(element->key), !is_end(element));
  });
  std::vector<NftChoice> out;
  bool open = false;
  for (const auto* element : sorted) {
    if ((element->flags & NFT_SET_ELEM_CATCHALL) != 0) {
      out.push_back({.first = {}, .last = {}, .data = &element->data, .catchall = true});
      open = false;  // it has no key, so it was sorted before every interval
      continue;
    }
    if (open && element->key > out.back().first) out.back().last = predecessor(element->key);
    open = !is_end(element);
    if (open) {
      out.push_back({.first = element->key,
                     .last = std::string(element->key.size(), '\xFF'),
                     .data = &element->data});
    }
  }
  return out;
}

}  // namespace

std::vector<NftChoice> nft_choices(const format::NftSet& set) {
  const bool has_ends = std::ranges::any_of(
      set.elements, [](const auto& element) { return !element.key_end.empty(); });
  if ((set.flags & NFT_SET_INTERVAL) != 0 && !has_ends) return intervals_of(set);
  std::vector<NftChoice> out;
  out.reserve(set.elements.size());
  for (const auto& element : set.elements) {
    out.push_back({.first = element.key,
                   .last = element.key_end.empty() ? element.key : element.key_end,
                   .data = &element.data,
                   .catchall = (element.flags & NFT_SET_ELEM_CATCHALL) != 0});
  }
  return out;
}

}  // namespace ports
