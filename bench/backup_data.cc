// Makes the large files that `bench/run backup` backs up, from a seed, and changes them.
//
//   backup_data large DIR MIB    db.dat (pages of a database), vm.img (a third zeros, text, code,
//                                what cannot be compressed, what comes twice), rand.bin
//   backup_data change DIR       one in a hundred 4 KiB pages of each file, at random places, and
//                                eight insertions into each
//   backup_data sparse FILE      20 GiB with 200 MiB of data in 100 places
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "made_data.h"

namespace {

constexpr size_t kMib = size_t{1} << 20;
constexpr size_t kChangedPage = 4096;
constexpr size_t kInsertions = 8;
constexpr off_t kSparseBytes = off_t{20} << 30;
constexpr int kSparsePlaces = 100;

[[noreturn]] void die(const std::string& tried) {
  std::fprintf(stderr, "backup_data: %s: %s\n", tried.c_str(), strerrordesc_np(errno));
  std::exit(1);
}

base::Fd open_file(const std::string& path, int flags) {
  base::Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd.valid()) die("open " + path);
  return fd;
}

void write_at(const base::Fd& fd, std::string_view bytes, off_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd.get(), bytes.data(), bytes.size(), at);
    if (written < 0) die("write");
    bytes.remove_prefix(static_cast<size_t>(written));
    at += written;
  }
}

/// A file of pieces of a mebibyte.
template <class MakePiece>
void fill(const std::string& path, size_t mib, MakePiece make_piece) {
  const base::Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (size_t i = 0; i < mib; ++i) write_at(fd, make_piece(), static_cast<off_t>(i * kMib));
}

void make_large(const std::string& directory, size_t mib) {
  std::mt19937_64 random(20261123);
  fill(directory + "/db.dat", mib * 3 / 8, [&] {
    std::string pages;
    while (pages.size() < kMib) pages += bench::make_page(random);
    return pages;
  });
  std::vector<std::string> earlier;
  fill(directory + "/vm.img", mib * 3 / 8, [&]() -> std::string {
    const auto die_of_ten = random() % 10;
    if (die_of_ten < 3) return std::string(kMib, '\0');
    if (die_of_ten == 3 && !earlier.empty()) return earlier[random() % earlier.size()];
    if (die_of_ten == 4) return bench::make_noise(random, kMib);
    std::string piece =
        die_of_ten < 7 ? bench::make_text(random, kMib) : bench::make_code(random, kMib);
    if (earlier.size() < 64) earlier.push_back(piece);
    return piece;
  });
  fill(directory + "/rand.bin", mib / 4, [&] { return bench::make_noise(random, kMib); });
}

void change_pages(const std::string& path, std::mt19937_64& random) {
  const base::Fd fd = open_file(path, O_RDWR);
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < 0) die("measure " + path);
  const auto pages = static_cast<uint64_t>(size) / kChangedPage;
  for (uint64_t i = 0; i < pages / 100; ++i) {
    const std::string page = bench::make_page(random).substr(0, kChangedPage);
    write_at(fd, page, static_cast<off_t>(random() % pages * kChangedPage));
  }
}

/// From back to front, so that each place is still where it was.
void insert(const std::string& path, std::mt19937_64& random) {
  const base::Fd fd = open_file(path, O_RDWR);
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  std::string content(static_cast<size_t>(size), '\0');
  for (size_t at = 0; at < content.size();) {
    const ssize_t got =
        ::pread(fd.get(), content.data() + at, content.size() - at, static_cast<off_t>(at));
    if (got <= 0) die("read " + path);
    at += static_cast<size_t>(got);
  }
  std::vector<size_t> places(kInsertions);
  for (size_t& place : places) place = random() % content.size();
  std::ranges::sort(places, std::greater());
  size_t end = content.size();
  std::vector<std::string> parts;
  for (const size_t place : places) {
    parts.push_back(content.substr(place, end - place));
    parts.push_back(bench::make_noise(random, 1 + random() % 9999));
    end = place;
  }
  auto at = static_cast<off_t>(end);
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    write_at(fd, *part, at);
    at += static_cast<off_t>(part->size());
  }
}

void make_sparse(const std::string& path) {
  std::mt19937_64 random(7);
  const base::Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  for (int place = 0; place < kSparsePlaces; ++place) {
    write_at(fd, bench::make_text(random, 2 * kMib), kSparseBytes / kSparsePlaces * place);
  }
  if (::ftruncate(fd.get(), kSparseBytes) != 0) die("set the size of " + path);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string what = count > 2 ? arguments[1] : "";
  if (what == "large" && count == 4) {
    make_large(arguments[2], std::strtoul(arguments[3], nullptr, 10));
  } else if (what == "change") {
    std::mt19937_64 random(99);
    for (const char* name : {"/db.dat", "/vm.img", "/rand.bin"}) {
      change_pages(arguments[2] + std::string(name), random);
      insert(arguments[2] + std::string(name), random);
    }
  } else if (what == "sparse") {
    make_sparse(arguments[2]);
  } else {
    std::fputs("usage: backup_data large DIR MIB | change DIR | sparse FILE\n", stderr);
    return 2;
  }
  return 0;
}
