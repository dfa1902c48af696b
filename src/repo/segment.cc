#include "repo/segment.h"

#include <cstdlib>
#include <cstring>

#include <zstd.h>

#include "base/blake3.h"
#include "base/raw_string.h"
#include "format/pack.h"

namespace repo {
namespace {

constexpr size_t kContentsMost = 16U << 20;

std::unexpected<base::Error> damaged(const char* what) {
  return base::fail(base::ErrorKind::kCorrupt, std::string("is a damaged segment: ") + what);
}

struct DecompressorDeleter {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

/// Of this thread: making one costs more than most segments.
ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, DecompressorDeleter> context(ZSTD_createDCtx());
  if (!context) std::abort();
  return context.get();
}

}  // namespace

struct SegmentMaker::State {
  State(const SecretKey& key, int of_level) : sealer(key), level(of_level) {
    if (compressor == nullptr) std::abort();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { ZSTD_freeCCtx(compressor); }

  Sealer sealer;
  ZSTD_CCtx* compressor = ZSTD_createCCtx();
  int level;
  std::string plain;
};

SegmentMaker::SegmentMaker(const SecretKey& session_key, int level)
    : state_(std::make_unique<State>(session_key, level)) {}

SegmentMaker::~SegmentMaker() = default;

base::Result<SealedSegment> SegmentMaker::seal(std::string_view header, uint64_t counter,
                                               OpenSegment& segment, const IdMaker& id_of) {
  std::string& plain = state_->plain;
  const size_t table = segment.lengths.size() * sizeof(uint32_t);
  const size_t size = segment.contents.size();
  base::resize_raw(plain, table + ZSTD_compressBound(size));
  std::memcpy(plain.data(), segment.lengths.data(), table);
  const size_t packed =
      ZSTD_compressCCtx(state_->compressor, plain.data() + table, plain.size() - table,
                        segment.contents.data(), size, state_->level);
  SealedSegment out;
  // Less than a sixty-fourth is not worth the time it takes to undo.
  if (ZSTD_isError(packed) == 0 && packed < size - size / 64) {
    out.entry.encoding = model::SegmentEncoding::kZstd;
    plain.resize(table + packed);
  } else {
    out.entry.encoding = model::SegmentEncoding::kPlain;
    plain.resize(table);
    plain += segment.contents;
  }
  out.entry.chunks = std::move(segment.chunks);
  out.entry.counter = counter;
  out.bytes = state_->sealer.seal(counter, format::segment_binding(header, out.entry), plain);
  out.entry.stored = static_cast<uint32_t>(out.bytes.size());
  out.entry.hash = base::blake3(out.bytes);

  const auto opened = open_segment(state_->sealer, header, out.entry, out.bytes);
  bool same = opened.has_value();
  for (size_t i = 0; same && i < out.entry.chunks.size(); ++i) {
    const model::PackedChunk& chunk = out.entry.chunks[i];
    same = id_of(opened->chunk(i), chunk.references) == chunk.id;
  }
  if (!same) {
    return base::fail(
        base::ErrorKind::kCorrupt,
        "what was sealed does not open to what went in, so nothing of it was written: "
        "this machine's memory or processor makes mistakes. Test them (memtest86+) "
        "before you trust it with a backup");
  }
  return out;
}

base::Result<SegmentContents> open_segment(Sealer& sealer, std::string_view header,
                                           const model::SegmentEntry& entry,
                                           std::string_view stored) {
  auto plain = sealer.open(entry.counter, format::segment_binding(header, entry), stored);
  if (!plain) return std::unexpected(plain.error());
  const size_t table = entry.chunks.size() * sizeof(uint32_t);
  if (plain->size() < table) return damaged("it is too short for its chunks");
  SegmentContents out;
  out.ends.resize(entry.chunks.size());
  uint64_t end = 0;
  for (size_t i = 0; i < out.ends.size(); ++i) {
    uint32_t length;
    std::memcpy(&length, plain->data() + i * sizeof(length), sizeof(length));
    end += length;
    if (length > format::kChunkLargest || end > kContentsMost)
      return damaged("its chunks are too large");
    out.ends[i] = static_cast<uint32_t>(end);
  }
  const std::string_view body = std::string_view(*plain).substr(table);
  if (entry.encoding == model::SegmentEncoding::kPlain) {
    if (body.size() != end) return damaged("its size is not that of its chunks");
    plain->erase(0, table);
    out.bytes = std::move(*plain);
    return out;
  }
  out.bytes = base::raw_string(end);
  const size_t unpacked = ZSTD_decompressDCtx(decompressor(), out.bytes.data(), out.bytes.size(),
                                              body.data(), body.size());
  if (ZSTD_isError(unpacked) != 0 || unpacked != end) return damaged("it does not decompress");
  return out;
}

}  // namespace repo
