#include "format/tree_listing.h"

#include <algorithm>
#include <map>

#include "format/byte_stream.h"

// listing = 1:u8 names name*:bytes entry*
// entry   = name:bytes type:u8 mode uid gid user group mtime changed inode device links flags
//           attributes (name:bytes value:bytes)* rest
// rest    = size holes (gap length)* indirect:u8 pieces length* | listings | target:bytes
//         | major minor |
// pieces  = 2:u8 pieces length*
// All numbers but u8 are varints; seconds are zigzag.

namespace format {
namespace {

constexpr uint8_t kListing = 1;
constexpr uint8_t kPieceList = 2;
constexpr size_t kPathLongest = 64U << 10;
constexpr size_t kOwnerLongest = 256;
constexpr size_t kAttributeLongest = 64U << 10;  // XATTR_SIZE_MAX
constexpr size_t kEntryLeast = 16;
// off_t; so sums of lengths that are checked one by one cannot wrap.
constexpr uint64_t kFileLargest = INT64_MAX;

/// Users and groups, each once.
class OwnerNames {
 public:
  uint64_t place(const std::string& name) {
    if (name.empty()) return 0;
    return places_.try_emplace(name, places_.size() + 1).first->second;
  }
  void write(ByteWriter& writer) const {
    std::vector<std::string_view> names(places_.size());
    for (const auto& [name, place] : places_) names[place - 1] = name;
    writer.varint(names.size());
    for (const std::string_view name : names) writer.short_text(name);
  }

 private:
  std::map<std::string, uint64_t> places_;
};

void write_time(ByteWriter& writer, const model::Timestamp& time) {
  writer.zigzag(time.seconds);
  writer.varint(time.nanoseconds);
}

model::Timestamp read_time(ByteReader& reader) {
  const int64_t seconds = reader.zigzag();
  return {.seconds = seconds, .nanoseconds = reader.varint_up_to<uint32_t>(999'999'999)};
}

void write_pieces(ByteWriter& writer, std::span<const model::Piece> pieces,
                  std::vector<model::ChunkId>& references) {
  writer.varint(pieces.size());
  for (const model::Piece& piece : pieces) {
    writer.varint(piece.length);
    references.push_back(piece.id);
  }
}

/// References, taken in order.
class References {
 public:
  explicit References(std::span<const model::ChunkId> ids) : rest_(ids) {}
  model::ChunkId take(ByteReader& reader) {
    if (rest_.empty()) {
      reader.fail();
      return {};
    }
    const model::ChunkId id = rest_.front();
    rest_ = rest_.subspan(1);
    return id;
  }
  [[nodiscard]] size_t left() const { return rest_.size(); }

 private:
  std::span<const model::ChunkId> rest_;
};

/// Answers how much data they have.
uint64_t read_pieces(ByteReader& reader, References& references,
                     std::vector<model::Piece>& pieces) {
  const size_t count = reader.varint_count(1);
  if (count > references.left()) reader.fail();
  uint64_t sum = 0;
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    const auto length = reader.varint_up_to<uint64_t>(kFileLargest - sum);
    if (length == 0) reader.fail();
    pieces.push_back({.id = references.take(reader), .length = length});
    sum += length;
  }
  return sum;
}

void write_rest(ByteWriter& writer, const model::TreeEntry& entry,
                std::vector<model::ChunkId>& references) {
  switch (entry.type) {
    case model::FileType::kFile: {
      writer.varint(entry.size);
      writer.varint(entry.holes.size());
      uint64_t end = 0;
      for (const model::Hole& hole : entry.holes) {
        writer.varint(hole.offset - end);
        writer.varint(hole.length);
        end = hole.offset + hole.length;
      }
      writer.number<uint8_t>(entry.indirect ? 1 : 0);
      write_pieces(writer, entry.pieces, references);
      break;
    }
    case model::FileType::kDirectory:
      writer.varint(entry.listings.size());
      references.insert(references.end(), entry.listings.begin(), entry.listings.end());
      break;
    case model::FileType::kSymlink:
      writer.short_text(entry.target);
      break;
    case model::FileType::kCharacterDevice:
    case model::FileType::kBlockDevice:
      writer.varint(entry.major);
      writer.varint(entry.minor);
      break;
    case model::FileType::kFifo:
    case model::FileType::kSocket:
      break;
  }
}

void read_file(ByteReader& reader, References& references, model::TreeEntry& entry) {
  entry.size = reader.varint_up_to<uint64_t>(kFileLargest);
  const size_t holes = reader.varint_count(2);
  uint64_t end = 0;
  uint64_t data = entry.size;
  for (size_t i = 0; i < holes && reader.ok(); ++i) {
    model::Hole hole;
    hole.offset = end + reader.varint_up_to<uint64_t>(entry.size - end);
    hole.length = reader.varint_up_to<uint64_t>(entry.size - hole.offset);
    if (hole.length == 0 || (i > 0 && hole.offset == end)) reader.fail();
    end = hole.offset + hole.length;
    data -= hole.length;
    entry.holes.push_back(hole);
  }
  entry.indirect = reader.boolean();
  if (read_pieces(reader, references, entry.pieces) != data) reader.fail();
}

void read_rest(ByteReader& reader, References& references, model::TreeEntry& entry) {
  switch (entry.type) {
    case model::FileType::kFile:
      read_file(reader, references, entry);
      break;
    case model::FileType::kDirectory: {
      const auto listings = reader.varint_up_to<size_t>(references.left());
      for (size_t i = 0; i < listings; ++i) entry.listings.push_back(references.take(reader));
      break;
    }
    case model::FileType::kSymlink:
      entry.target = reader.short_text(kPathLongest);
      // A link with neither has no meaning to the kernel either.
      if (entry.target.empty() || entry.target.contains('\0')) reader.fail();
      break;
    case model::FileType::kCharacterDevice:
    case model::FileType::kBlockDevice:
      entry.major = reader.varint_up_to<uint32_t>(UINT32_MAX);
      entry.minor = reader.varint_up_to<uint32_t>(UINT32_MAX);
      break;
    case model::FileType::kFifo:
    case model::FileType::kSocket:
      break;
    default:
      reader.fail();
  }
}

bool is_valid_name(std::string_view name, ListingKind kind) {
  if (name.empty() || name.contains('\0')) return false;
  if (kind == ListingKind::kDirectory)
    return name.size() <= kNameLongest && !name.contains('/') && name != "." && name != "..";
  // An absolute path in its shortest form: no empty, "." or ".." part.
  if (name.front() != '/' || name.size() > kPathLongest) return false;
  if (name == "/") return true;
  for (std::string_view rest = name.substr(1);;) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.size() > kNameLongest || part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

std::string read_owner(ByteReader& reader, const std::vector<std::string_view>& names) {
  const auto place = reader.varint_up_to<size_t>(names.size());
  return place == 0 ? std::string() : std::string(names[place - 1]);
}

model::TreeEntry read_entry(ByteReader& reader, References& references,
                            const std::vector<std::string_view>& owners, ListingKind kind) {
  model::TreeEntry entry;
  entry.name = reader.short_text(kPathLongest);
  if (!is_valid_name(entry.name, kind)) reader.fail();
  entry.type = static_cast<model::FileType>(reader.number<uint8_t>());
  entry.mode = reader.varint_up_to<uint32_t>(07777);
  entry.uid = reader.varint_up_to<uint32_t>(UINT32_MAX);
  entry.gid = reader.varint_up_to<uint32_t>(UINT32_MAX);
  entry.user = read_owner(reader, owners);
  entry.group = read_owner(reader, owners);
  entry.modified = read_time(reader);
  entry.changed = read_time(reader);
  entry.inode = reader.varint();
  entry.device = reader.varint_up_to<uint32_t>(UINT32_MAX);
  entry.links = reader.varint_up_to<uint32_t>(UINT32_MAX);
  entry.flags = reader.varint_up_to<uint32_t>(UINT32_MAX);
  const size_t attributes = reader.varint_count(2);
  for (size_t i = 0; i < attributes && reader.ok(); ++i) {
    model::Attribute& attribute = entry.attributes.emplace_back();
    attribute.name = reader.short_text(kNameLongest);
    attribute.value = reader.short_text(kAttributeLongest);
    if (attribute.name.empty() || attribute.name.contains('\0')) reader.fail();
  }
  read_rest(reader, references, entry);
  return entry;
}

}  // namespace

TreeContent encode_listing(std::span<const model::TreeEntry> entries) {
  TreeContent content;
  OwnerNames owners;
  ByteWriter writer;
  for (const model::TreeEntry& entry : entries) {
    writer.short_text(entry.name);
    writer.number(static_cast<uint8_t>(entry.type));
    writer.varint(entry.mode);
    writer.varint(entry.uid);
    writer.varint(entry.gid);
    writer.varint(owners.place(entry.user));
    writer.varint(owners.place(entry.group));
    write_time(writer, entry.modified);
    write_time(writer, entry.changed);
    writer.varint(entry.inode);
    writer.varint(entry.device);
    writer.varint(entry.links);
    writer.varint(entry.flags);
    writer.varint(entry.attributes.size());
    for (const model::Attribute& attribute : entry.attributes) {
      writer.short_text(attribute.name);
      writer.short_text(attribute.value);
    }
    write_rest(writer, entry, content.references);
  }
  ByteWriter whole;
  whole.number(kListing);
  owners.write(whole);
  whole.raw(writer.view());
  content.bytes = whole.take();
  return content;
}

base::Result<std::vector<model::TreeEntry>> decode_listing(
    std::string_view bytes, std::span<const model::ChunkId> references, ListingKind kind) {
  ByteReader reader(bytes);
  References ids(references);
  if (reader.number<uint8_t>() != kListing) reader.fail();
  std::vector<std::string_view> owners(reader.varint_count(1));
  for (std::string_view& owner : owners) {
    owner = reader.short_text(kOwnerLongest);
    if (owner.empty()) reader.fail();
  }
  std::vector<model::TreeEntry> entries;
  entries.reserve(reader.left() / (4 * kEntryLeast));
  while (reader.ok() && reader.left() > 0) {
    entries.push_back(read_entry(reader, ids, owners, kind));
    if (entries.size() > 1 && entries[entries.size() - 2].name >= entries.back().name)
      reader.fail();
  }
  if (!reader.done() || ids.left() > 0)
    return base::fail(base::ErrorKind::kCorrupt, "is a listing that is not as written");
  return entries;
}

TreeContent encode_piece_list(std::span<const model::Piece> pieces) {
  TreeContent content;
  ByteWriter writer;
  writer.number(kPieceList);
  write_pieces(writer, pieces, content.references);
  content.bytes = writer.take();
  return content;
}

base::Result<std::vector<model::Piece>> decode_piece_list(
    std::string_view bytes, std::span<const model::ChunkId> references) {
  ByteReader reader(bytes);
  References ids(references);
  if (reader.number<uint8_t>() != kPieceList) reader.fail();
  std::vector<model::Piece> pieces;
  read_pieces(reader, ids, pieces);
  if (!reader.done() || ids.left() > 0)
    return base::fail(base::ErrorKind::kCorrupt, "is a list of pieces that is not as written");
  return pieces;
}

}  // namespace format
