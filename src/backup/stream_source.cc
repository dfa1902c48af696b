#include "backup/stream_source.h"

namespace backup {
namespace {

class StreamFile final : public FileReader {
 public:
  explicit StreamFile(StreamSource::Shared& shared) : shared_(shared) {}

  base::Result<model::TreeEntry> look() override { return shared_.file; }
  base::Result<model::TreeEntry> stat() override { return shared_.file; }
  std::vector<model::Hole> holes(uint64_t /*size*/) override { return {}; }

  base::Result<size_t> read(uint64_t /*offset*/, std::span<char> out) override {
    auto got = shared_.bytes->read(out);
    if (!got) shared_.failure = got.error();
    return got;
  }

 private:
  StreamSource::Shared& shared_;
};

/// The directory that the file seems to be in.
class StreamDirectory final : public DirectoryReader {
 public:
  explicit StreamDirectory(StreamSource::Shared& shared) : shared_(shared) {}

  base::Result<std::vector<std::string>> names() override {
    return std::vector<std::string>{shared_.file.name};
  }
  base::Result<model::TreeEntry> stat(const std::string& name) override {
    if (name != shared_.file.name) return nothing_else();
    return shared_.file;
  }
  base::Result<void> complete(model::TreeEntry& /*entry*/) override { return {}; }
  base::Result<std::unique_ptr<FileReader>> open_file(const std::string& name) override {
    if (name != shared_.file.name) return nothing_else();
    return std::make_unique<StreamFile>(shared_);
  }
  base::Result<std::unique_ptr<DirectoryReader>> open_directory(
      const std::string& /*name*/) override {
    return nothing_else();
  }
  base::Result<model::TreeEntry> look() override { return nothing_else(); }
  DirectoryUse use() override { return DirectoryUse::kEnter; }

 private:
  static std::unexpected<base::Error> nothing_else() {
    return base::fail(base::ErrorKind::kNotFound, "a stream is one file and nothing else");
  }

  StreamSource::Shared& shared_;
};

}  // namespace

StreamSource::StreamSource(std::string path, model::TreeEntry file,
                           std::unique_ptr<ByteStream> bytes,
                           std::function<model::Timestamp()> clock)
    : path_(std::move(path)),
      shared_{.file = std::move(file),
              .bytes = std::move(bytes),
              .clock = std::move(clock),
              .failure = std::nullopt} {
  shared_.file.name = path_.substr(path_.rfind('/') + 1);
  shared_.file.type = model::FileType::kFile;
  shared_.file.size = kUnknownSize;
  shared_.file.modified = shared_.file.changed = shared_.clock();
}

base::Result<std::unique_ptr<DirectoryReader>> StreamSource::open_parent(
    const std::string& /*path*/) {
  return std::make_unique<StreamDirectory>(shared_);
}

}  // namespace backup
