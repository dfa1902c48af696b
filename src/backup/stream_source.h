// StreamSource: bytes that come once and in order, as one file of a snapshot. A stream that ends
// badly leaves no snapshot behind: the file is all there is, and it could not be read. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backup/source.h"

namespace backup {

/// Bytes that come once and in order.
class ByteStream {
 public:
  ByteStream() = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  /// Fills `out`; fewer bytes only once the end was seen and was a good one. An end that is none,
  /// as of a command that failed, is an error.
  virtual base::Result<size_t> read(std::span<char> out) = 0;
};

class StreamSource final : public Source {
 public:
  /// `path`: where the file stands in the snapshot, absolute and not "/". `file`: its owner and
  /// mode; its times are when it began to be read.
  StreamSource(std::string path, model::TreeEntry file, std::unique_ptr<ByteStream> bytes,
               std::function<model::Timestamp()> clock);

  base::Result<std::unique_ptr<DirectoryReader>> open_parent(const std::string& path) override;
  model::Timestamp now() override { return shared_.clock(); }

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Why the stream ended badly, in the stream's own words.
  [[nodiscard]] const std::optional<base::Error>& failure() const { return shared_.failure; }

  /// What the directory and the file of this source share.
  struct Shared {
    model::TreeEntry file;
    std::unique_ptr<ByteStream> bytes;
    std::function<model::Timestamp()> clock;
    std::optional<base::Error> failure;
  };

 private:
  std::string path_;
  Shared shared_;
};

}  // namespace backup
