// The config of a repository: its id and how contents are cut. Layout: docs/formats/repository.md.
#pragma once

#include <string>
#include <string_view>

#include "base/blake3.h"
#include "base/result.h"
#include "model/repository.h"

namespace format {

std::string encode_config(const model::RepositoryConfig& config, const base::Key256& config_key);

/// Checks all but who wrote it, which takes the key: is_genuine_config().
base::Result<model::RepositoryConfig> decode_config(std::string_view bytes);

/// Whether a config that decode_config() takes was written by somebody with the key.
bool is_genuine_config(std::string_view bytes, const base::Key256& config_key);

/// Whether sizes are such that every writer and reader can live with them.
bool are_valid_sizes(const model::ChunkSizes& sizes);

}  // namespace format
