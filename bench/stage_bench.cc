// Measures each stage of a backup by itself, on one core: how fast a file is read, cut into chunks,
// hashed, compressed by segments, sealed, opened and compared again, and written. What a backup as
// a whole costs can then be held against the sum.
//
//   stage_bench FILE FOLDER     what is written goes into FOLDER, and is removed
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <zstd.h>

#include "backup/chunker.h"
#include "base/fd.h"
#include "model/repository.h"
#include "repo/repository.h"
#include "repo/seal.h"
#include "testkit/memory_store.h"

namespace {

constexpr size_t kBlock = size_t{1} << 20;
constexpr int kLevel = 3;
constexpr double kGib = 1 << 30;

[[noreturn]] void die(const std::string& tried) {
  std::fprintf(stderr, "stage_bench: %s: %s\n", tried.c_str(), strerrordesc_np(errno));
  std::exit(1);
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// CPU time of all stages, for each GiB of the file.
double sum_s = 0;

/// Runs one stage over so many bytes and prints what it cost for each GiB of the file.
template <class Work>
void stage(const char* name, double file_bytes, double stage_bytes, Work work) {
  const double wall = seconds_of(CLOCK_MONOTONIC);
  const double cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  work();
  const double spent = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
  const double took = seconds_of(CLOCK_MONOTONIC) - wall;
  const double each = spent / (file_bytes / kGib);
  sum_s += each;
  std::printf("%-34s %8.0f MiB/s of CPU %8.0f MiB/s of wall %8.2f CPU s per GiB of the file\n",
              name, stage_bytes / (1 << 20) / spent, stage_bytes / (1 << 20) / took, each);
}

std::string read_whole(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) die("open " + path);
  std::string data(static_cast<size_t>(status.st_size), '\0');
  for (size_t at = 0; at < data.size();) {
    const ssize_t got = ::pread(fd.get(), data.data() + at, std::min(kBlock, data.size() - at),
                                static_cast<off_t>(at));
    if (got <= 0) die("read " + path);
    at += static_cast<size_t>(got);
  }
  return data;
}

/// As a backup reads: into one buffer, again and again.
void read_through(const std::string& path) {
  static std::vector<char> buffer(kBlock);
  const base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) die("open " + path);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) die("read " + path);
    if (got == 0) return;
  }
}

void write_out(const std::string& path, const std::vector<std::string>& segments) {
  const base::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) die("open " + path);
  for (const std::string& segment : segments) {
    if (::write(fd.get(), segment.data(), segment.size()) != static_cast<ssize_t>(segment.size())) {
      die("write " + path);
    }
  }
  if (::fsync(fd.get()) != 0) die("sync " + path);
  ::unlink(path.c_str());
}

void measure(const std::string& path, const std::string& folder) {
  const std::string data = read_whole(path);
  const auto size = static_cast<double>(data.size());
  testkit::MemoryStore memory;
  const repo::Credential credential(model::SlotKind::kPassphrase, "bench");
  const repo::PassphraseCost cheap{.memory_kib = 8, .passes = 1};
  if (!repo::Repository::create(memory, {&credential}, 1, {}, cheap)) die("make a repository");
  const auto repository = repo::Repository::open(memory, credential);
  if (!repository) die("open the repository");

  stage("read", size, size, [&] { read_through(path); });
  std::vector<std::string_view> chunks;
  const backup::Chunker chunker((*repository)->keys().chunker.bytes(),
                                (*repository)->config().sizes);
  stage("cut into chunks", size, size, [&] {
    for (std::string_view rest = data; !rest.empty();) {
      chunks.push_back(rest.substr(0, chunker.cut(rest)));
      rest.remove_prefix(chunks.back().size());
    }
  });
  const auto hash = [&] {
    for (const std::string_view chunk : chunks) {
      static_cast<void>((*repository)->chunk_id(model::ChunkKind::kData, chunk, {}));
    }
  };
  stage("hash", size, size, hash);

  std::vector<std::string> compressed;
  ZSTD_CCtx* compressor = ZSTD_createCCtx();
  stage("compress (zstd -3, by MiB)", size, size, [&] {
    std::string room(ZSTD_compressBound(kBlock), '\0');
    for (size_t at = 0; at < data.size(); at += kBlock) {
      const std::string_view block = std::string_view(data).substr(at, kBlock);
      const size_t got = ZSTD_compressCCtx(compressor, room.data(), room.size(), block.data(),
                                           block.size(), kLevel);
      compressed.emplace_back(room, 0, got);
    }
  });
  ZSTD_freeCCtx(compressor);
  double stored = 0;
  for (const std::string& one : compressed) stored += static_cast<double>(one.size());

  repo::Sealer sealer((*repository)->keys().data);
  std::vector<std::string> sealed;
  stage("seal (AES-256-GCM)", size, stored, [&] {
    for (const std::string& one : compressed) sealed.push_back(sealer.seal(sealed.size(), "", one));
  });
  stage("open again", size, stored, [&] {
    for (size_t i = 0; i < sealed.size(); ++i) {
      if (!sealer.open(i, "", sealed[i])) die("open what was sealed");
    }
  });
  stage("decompress again", size, size, [&] {
    std::string room(kBlock, '\0');
    for (const std::string& one : compressed)
      ZSTD_decompress(room.data(), room.size(), one.data(), one.size());
  });
  stage("hash again", size, size, hash);
  stage("write and sync", size, stored, [&] { write_out(folder + "/stage_bench.out", sealed); });
  std::printf("%-34s %8.2f CPU s per GiB; stored %.1f %% of the file, %zu chunks\n", "all of these",
              sum_s, 100 * stored / size, chunks.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: stage_bench FILE FOLDER\n", stderr);
    return 2;
  }
  measure(arguments[1], arguments[2]);
  return 0;
}
