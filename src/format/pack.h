// Packs: segments of chunks, and the directory behind them. Layout: docs/formats/repository.md.
// What is inside a segment is sealed: repo/segment.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/repository.h"

namespace format {

inline constexpr size_t kPackHeaderSize = 64;
inline constexpr size_t kPackTrailerSize = 48;
inline constexpr size_t kPackLargest = 128U << 20;  ///< of what is read
inline constexpr size_t kSegmentChunksMost = 65535;
inline constexpr size_t kChunkLargest = 8U << 20;  ///< of its content
inline constexpr size_t kChunkReferencesMost = 1U << 20;

std::string encode_pack_header(const model::PackHeader& header);
base::Result<model::PackHeader> decode_pack_header(std::string_view bytes);

/// Directory and trailer, to stand behind `segments_end` bytes that begin with `header`.
std::string encode_pack_end(std::string_view header,
                            const std::vector<model::SegmentEntry>& segments);

/// What the trailer (the last kPackTrailerSize bytes) says of the directory's size.
base::Result<uint32_t> decode_directory_size(std::string_view trailer);

/// `end` is directory and trailer of a pack of `pack_size` bytes that begins with `header`.
base::Result<std::vector<model::SegmentEntry>> decode_pack_end(std::string_view header,
                                                               std::string_view end,
                                                               uint64_t pack_size);

/// What a segment's seal is bound to besides its content.
std::string segment_binding(std::string_view header, const model::SegmentEntry& segment);

}  // namespace format
