// Measures what the sizes of chunks and segments cost and save (ADR 0020): bytes stored of a set of
// pages like a database's, again after one in a hundred of its 4 KiB pages has changed, and of
// small files; and CPU time and chunks for each. Nothing touches a disk but the reading of TREE.
//
//   repository_bench pages MIB      chunk sizes, pages made from a seed
//   repository_bench tree DIR       segment sizes, over the files of DIR in order
//   repository_bench index COUNT    how long opening an index of COUNT chunks takes, and a look-up
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "backup/chunker.h"
#include "base/file.h"
#include "format/chunk_index.h"
#include "made_data.h"
#include "repo/repository.h"
#include "repo/writer_session.h"
#include "testkit/memory_store.h"

namespace {

constexpr size_t kChangedPage = 4096;

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class T>
T must(base::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "repository_bench: %s\n", result.error().message.c_str());
    std::exit(3);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Cost {
  uint64_t stored = 0;
  size_t chunks = 0;
  double cpu_s = 0;
};

Cost store(repo::Repository& repository, const std::vector<std::string>& files) {
  const double before = cpu_s();
  Cost cost;
  const backup::Chunker chunker(repository.keys().chunker.bytes(), repository.config().sizes);
  const auto session = must(repo::WriterSession::begin(repository));
  model::ChunkId last;
  for (const std::string& file : files) {
    for (std::string_view rest = file; !rest.empty(); ++cost.chunks) {
      const size_t size = chunker.cut(rest);
      last = must(session->add(model::ChunkKind::kData, rest.substr(0, size)));
      rest.remove_prefix(size);
    }
  }
  model::Snapshot snapshot;
  snapshot.roots = last;
  must(session->commit(snapshot));
  cost.stored = session->stored_bytes();
  cost.cpu_s = cpu_s() - before;
  return cost;
}

std::unique_ptr<repo::Repository> make_repository(testkit::MemoryStore& store,
                                                  const model::ChunkSizes& sizes) {
  const repo::Credential credential(model::SlotKind::kPassphrase, "bench");
  const repo::PassphraseCost cheap{.memory_kib = 8, .passes = 1};
  must(repo::Repository::create(store, {&credential}, 1, sizes, cheap));
  return must(repo::Repository::open(store, credential));
}

double mib(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void measure_pages(size_t size_mib) {
  std::mt19937_64 random(1);
  std::vector<std::string> file(1);
  while (file[0].size() < size_mib << 20) file[0] += bench::make_page(random);
  std::vector<std::string> changed = file;
  const size_t pages = file[0].size() / kChangedPage;
  for (size_t i = 0; i < pages / 100; ++i) {
    const std::string page = bench::make_page(random);
    changed[0].replace(random() % pages * kChangedPage, kChangedPage, page, 0, kChangedPage);
  }
  std::printf(
      "average  segment  stored MiB  CPU s  chunks/GiB | 1%% of pages: stored MiB  CPU s\n");
  for (const uint32_t average : {8U << 10, 16U << 10, 32U << 10, 64U << 10, 256U << 10, 1U << 20}) {
    for (const uint32_t segment : {average * 4, 1U << 20, 4U << 20}) {
      if (segment != average * 4 && segment <= average * 4) continue;
      testkit::MemoryStore memory;
      const auto repository = make_repository(memory, {.smallest = std::max(4U << 10, average / 4),
                                                       .average = average,
                                                       .largest = average * 4,
                                                       .segment = segment,
                                                       .pack = 32U << 20});
      const Cost first = store(*repository, file);
      const Cost second = store(*repository, changed);
      std::printf("%4u KiB  %4u KiB  %10.1f  %5.1f  %10zu | %22.1f  %5.1f\n", average >> 10,
                  segment >> 10, mib(first.stored), first.cpu_s, (first.chunks << 10) / size_mib,
                  mib(second.stored), second.cpu_s);
    }
  }
}

void measure_tree(const char* top) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
    if (entry.is_regular_file() && !entry.is_symlink()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> files;
  uint64_t bytes = 0;
  for (const std::string& path : paths) {
    files.push_back(base::read_file(path.c_str(), 1U << 30).value_or(""));
    bytes += files.back().size();
  }
  std::printf("%zu files, %.1f MiB\nsegment  stored MiB  CPU s  chunks\n", files.size(),
              mib(bytes));
  for (const uint32_t segment : {256U << 10, 512U << 10, 1U << 20, 2U << 20, 4U << 20, 8U << 20}) {
    testkit::MemoryStore memory;
    model::ChunkSizes sizes;
    sizes.segment = segment;
    const Cost cost = store(*make_repository(memory, sizes), files);
    std::printf("%4u KiB  %10.1f  %5.1f  %zu\n", segment >> 10, mib(cost.stored), cost.cpu_s,
                cost.chunks);
  }
}

void measure_index(size_t count) {
  std::mt19937_64 random(1);
  std::vector<model::IndexEntry> entries(count);
  for (model::IndexEntry& entry : entries) {
    for (size_t at = 0; at < 32; at += 8) {
      const uint64_t bits = random();
      std::memcpy(entry.id.bytes.data() + at, &bits, sizeof(bits));
    }
  }
  const std::vector<model::IndexEntry> wanted(
      entries.begin(), entries.begin() + static_cast<ptrdiff_t>(std::min<size_t>(count, 200'000)));
  const std::string bytes = format::encode_chunk_index({{}}, std::move(entries));
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto index = must(format::ChunkIndex::open(bytes));
  const auto opened = Clock::now();
  size_t found = 0;
  for (const model::IndexEntry& entry : wanted) found += index.find(entry.id).has_value() ? 1 : 0;
  const std::chrono::duration<double, std::micro> open_us = opened - began;
  const std::chrono::duration<double, std::nano> look_ns = Clock::now() - opened;
  std::printf("%zu chunks: %.2f bytes each, opened in %.1f us, %zu of %zu found in %.0f ns each\n",
              index.size(), static_cast<double>(bytes.size()) / static_cast<double>(index.size()),
              open_us.count(), found, wanted.size(),
              look_ns.count() / static_cast<double>(wanted.size()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (what == "pages") {
    measure_pages(std::strtoul(argv[2], nullptr, 10));
  } else if (what == "tree") {
    measure_tree(argv[2]);
  } else if (what == "index") {
    measure_index(std::strtoul(argv[2], nullptr, 10));
  } else {
    std::fprintf(stderr, "usage: repository_bench pages MIB | tree DIR | index COUNT\n");
    return 2;
  }
  return 0;
}
