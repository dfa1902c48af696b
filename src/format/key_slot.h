// A key slot: the repository key, wrapped. Layout: docs/formats/repository.md.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/repository.h"

namespace format {

inline constexpr size_t kLabelLongest = 64;

std::string encode_key_slot(const model::KeySlot& slot);
base::Result<model::KeySlot> decode_key_slot(std::string_view bytes);

/// What the sealed key is bound to: all of the slot before it.
std::string key_slot_binding(const model::KeySlot& slot);

}  // namespace format
