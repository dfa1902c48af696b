// Backup and restore on real file systems: each thing that DESIGN says a snapshot keeps is made,
// backed up, restored and compared. One test stands behind each cell of docs/metadata-fidelity.md.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "base/fd.h"
#include "base/file.h"
#include "disk/posix_source.h"
#include "disk/posix_target_tree.h"
#include "testkit/memory_store.h"
#include "testkit/temporary_directory.h"

namespace {

constexpr repo::PassphraseCost kCheap{.memory_kib = 8, .passes = 1};

std::string noise(unsigned seed, size_t size) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

class BackupRestore : public testing::Test {
 protected:
  BackupRestore() : from_(files_.path() + "/from"), to_(files_.path() + "/to") {
    std::filesystem::create_directory(from_);
    const repo::Credential credential(model::SlotKind::kPassphrase, "x");
    EXPECT_TRUE(repo::Repository::create(store_, {&credential}, 1, {}, kCheap));
    repository_ = std::move(*repo::Repository::open(store_, credential));
  }
  ~BackupRestore() override {
    // What is immutable would stay.
    for (const std::string& tree : {from_, to_}) {
      std::error_code ignored;
      for (const auto& entry : std::filesystem::recursive_directory_iterator(tree, ignored)) {
        if (entry.is_regular_file() && !entry.is_symlink()) set_flags(entry.path(), 0);
      }
    }
  }

  backup::BackupReport back_up() {
    backup::BackupRequest request;
    request.paths = {from_};
    request.host = "host";
    request.store_clock_s = [] { return 2; };
    request.writer.workers = workers_;
    request.on_problem = [&](const std::string& path, const std::string& what) {
      problems_.push_back(path + ": " + what);
    };
    disk::PosixSource source;
    auto report = backup::back_up(*repository_, source, request);
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(backup::BackupReport{});
  }
  backup::RestoreReport restore(const model::ChunkId& roots, std::vector<std::string> paths = {}) {
    auto reader = repo::ChunkReader::open(*repository_);
    auto target = disk::open_posix_target(to_, true);
    EXPECT_TRUE(target) << target.error().message;
    backup::RestoreRequest request;
    request.roots = roots;
    request.paths = std::move(paths);
    request.on_problem = [&](const std::string& path, const std::string& what) {
      problems_.push_back(path + ": " + what);
    };
    auto report = backup::restore(request, **reader, **target);
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(backup::RestoreReport{});
  }
  void there_and_back() {
    const auto report = restore(back_up().snapshot.roots);
    EXPECT_TRUE(problems_.empty()) << problems_.front();
    EXPECT_TRUE(report.unset.empty()) << report.unset.begin()->first;
  }

  void write(const std::string& name, std::string_view content) const {
    std::ofstream(before(name), std::ios::binary) << content;
  }
  [[nodiscard]] std::string before(const std::string& name) const { return from_ + "/" + name; }
  [[nodiscard]] std::string after(const std::string& name) const {
    return to_ + from_ + "/" + name;
  }
  static std::string content(const std::string& path) {
    return base::read_file(path.c_str(), 64U << 20).value_or("(cannot be read)");
  }
  static struct stat status(const std::string& path) {
    struct stat out{};
    EXPECT_EQ(lstat(path.c_str(), &out), 0) << path;
    return out;
  }
  static bool set_flags(const std::string& path, int flags) {
    const base::Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    return file.valid() && ioctl(file.get(), FS_IOC_SETFLAGS, &flags) == 0;
  }

  testkit::TemporaryDirectory files_;
  const std::string from_;
  const std::string to_;
  testkit::MemoryStore store_;
  std::unique_ptr<repo::Repository> repository_;
  std::vector<std::string> problems_;
  unsigned workers_ = 2;
};

TEST_F(BackupRestore, ContentOfAllSizes) {
  unsigned seed = 0;
  for (const size_t size : {0, 1, 4096, 16384, 65537, 262144, 262145, 5'000'000})
    write("size-" + std::to_string(size), noise(++seed, size));
  there_and_back();
  seed = 0;
  for (const size_t size : {0, 1, 4096, 16384, 65537, 262144, 262145, 5'000'000}) {
    const std::string name = "size-" + std::to_string(size);
    EXPECT_EQ(content(after(name)), noise(++seed, size)) << name;
  }
}

TEST_F(BackupRestore, AFileOfMorePiecesThanAListingHolds) {
  std::string whole;
  for (unsigned i = 0; whole.size() < 100U << 20; ++i) whole += noise(1 + i % 4, 1U << 20);
  write("large", whole);
  const auto report = back_up();
  EXPECT_LT(report.snapshot.added_bytes, whole.size() / 10) << "repeats are stored once";
  restore(report.snapshot.roots);
  std::ifstream in(after("large"), std::ios::binary);
  const std::string restored((std::istreambuf_iterator<char>(in)), {});
  EXPECT_TRUE(restored == whole);
}

TEST_F(BackupRestore, NamesAreBytes) {
  const std::vector<std::string> names{"new\nline",   "\xff\xfe not UTF-8",  "tab\there",
                                       "-rf",         std::string(255, 'n'), " ",
                                       "\x01\x1b[31m"};
  for (const std::string& name : names) write(name, name);
  there_and_back();
  for (const std::string& name : names) EXPECT_EQ(content(after(name)), name);
}

TEST_F(BackupRestore, SymlinksKeepTheirBytesOwnersAndTimes) {
  for (const std::string target : {"nowhere", "/etc/passwd", "\xff\xfe", "../../.."}) {
    const std::string name = "link-" + std::to_string(target.size());
    ASSERT_EQ(symlink(target.c_str(), before(name).c_str()), 0);
    const timespec times[2] = {{0, UTIME_OMIT}, {1'000'000'000, 123'456'789}};
    ASSERT_EQ(utimensat(AT_FDCWD, before(name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  if (geteuid() == 0) ASSERT_EQ(lchown(before("link-2").c_str(), 1234, 4321), 0);
  there_and_back();
  for (const std::string target : {"nowhere", "/etc/passwd", "\xff\xfe", "../../.."}) {
    const std::string name = "link-" + std::to_string(target.size());
    EXPECT_EQ(base::read_link_at(AT_FDCWD, after(name).c_str()), target);
    EXPECT_EQ(status(after(name)).st_mtim.tv_nsec, 123'456'789);
    EXPECT_EQ(status(after(name)).st_uid, status(before(name)).st_uid);
  }
}

TEST_F(BackupRestore, ModesWithTheirSpecialBits) {
  for (const unsigned mode : {0U, 0644U, 0777U, 04755U, 02755U, 01777U, 0400U}) {
    const std::string name = "mode-" + std::to_string(mode);
    write(name, "x");
    ASSERT_EQ(chmod(before(name).c_str(), mode), 0);
    std::filesystem::create_directory(before("dir-" + std::to_string(mode)));
    ASSERT_EQ(chmod(before("dir-" + std::to_string(mode)).c_str(), mode | 0500U), 0);
  }
  if (geteuid() != 0) GTEST_SKIP() << "a file of mode 0 is only root's to read";
  there_and_back();
  for (const unsigned mode : {0U, 0644U, 0777U, 04755U, 02755U, 01777U, 0400U}) {
    EXPECT_EQ(status(after("mode-" + std::to_string(mode))).st_mode & 07777U, mode);
    EXPECT_EQ(status(after("dir-" + std::to_string(mode))).st_mode & 07777U, mode | 0500U);
  }
}

TEST_F(BackupRestore, TimesBefore1970AndAfter2038AlsoOfTheRootItself) {
  write("old", "x");
  write("new", "x");
  const timespec old_times[2] = {{0, UTIME_OMIT}, {-1'000'000'000, 1}};
  const timespec new_times[2] = {{0, UTIME_OMIT}, {9'000'000'000, 999'999'999}};
  ASSERT_EQ(utimensat(AT_FDCWD, before("old").c_str(), old_times, 0), 0);
  ASSERT_EQ(utimensat(AT_FDCWD, before("new").c_str(), new_times, 0), 0);
  ASSERT_EQ(utimensat(AT_FDCWD, from_.c_str(), old_times, 0), 0);
  there_and_back();
  EXPECT_EQ(status(after("old")).st_mtim.tv_sec, -1'000'000'000);
  EXPECT_EQ(status(after("old")).st_mtim.tv_nsec, 1);
  EXPECT_EQ(status(after("new")).st_mtim.tv_sec, status(before("new")).st_mtim.tv_sec);
  EXPECT_EQ(status(after("new")).st_mtim.tv_nsec, 999'999'999);
  EXPECT_EQ(status(to_ + from_).st_mtim.tv_sec, -1'000'000'000);
}

TEST_F(BackupRestore, HardLinksOfAnyType) {
  std::filesystem::create_directory(before("below"));
  write("file", "content");
  ASSERT_EQ(symlink("target", before("symlink").c_str()), 0);
  ASSERT_EQ(mkfifo(before("fifo").c_str(), 0600), 0);
  for (const std::string name : {"file", "symlink", "fifo"})
    ASSERT_EQ(link(before(name).c_str(), before("below/other-" + name).c_str()), 0);
  there_and_back();
  for (const std::string name : {"file", "symlink", "fifo"}) {
    EXPECT_EQ(status(after(name)).st_ino, status(after("below/other-" + name)).st_ino) << name;
    EXPECT_EQ(status(after(name)).st_nlink, 2U) << name;
  }
  EXPECT_EQ(content(after("below/other-file")), "content");
}

TEST_F(BackupRestore, DevicesFifosAndSockets) {
  ASSERT_EQ(mkfifo(before("fifo").c_str(), 0640), 0);
  ASSERT_EQ(mknod(before("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(mknod(before("char").c_str(), S_IFCHR | 0600, makedev(259, 70000)), 0);
    ASSERT_EQ(mknod(before("block").c_str(), S_IFBLK | 0600, makedev(7, 3)), 0);
  }
  there_and_back();
  EXPECT_TRUE(S_ISFIFO(status(after("fifo")).st_mode));
  EXPECT_EQ(status(after("fifo")).st_mode & 07777U, 0640U);
  EXPECT_TRUE(S_ISSOCK(status(after("socket")).st_mode));
  if (!root) GTEST_SKIP() << "only root makes devices";
  EXPECT_EQ(status(after("char")).st_rdev, makedev(259, 70000));
  EXPECT_TRUE(S_ISBLK(status(after("block")).st_mode));
}

TEST_F(BackupRestore, ExtendedAttributesOfFilesDirectoriesAndLinks) {
  write("file", "x");
  std::filesystem::create_directory(before("dir"));
  ASSERT_EQ(symlink("x", before("link").c_str()), 0);
  if (setxattr(before("file").c_str(), "trusted.a", "b", 1, 0) != 0)
    GTEST_SKIP() << "no right to trusted attributes here";
  ASSERT_EQ(setxattr(before("file").c_str(), "trusted.empty", "", 0, 0), 0);
  ASSERT_EQ(setxattr(before("dir").c_str(), "trusted.dir", "1\0002", 3, 0), 0);
  ASSERT_EQ(lsetxattr(before("link").c_str(), "trusted.link", "l", 1, 0), 0);
  // cap_net_raw+ep, and an ACL with one more user.
  const std::string capability("\x01\x00\x00\x02\x00\x20\x00\x00\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  ASSERT_EQ(setxattr(before("file").c_str(), "security.capability", capability.data(),
                     capability.size(), 0),
            0);
  there_and_back();
  std::array<char, 64> value{};
  EXPECT_EQ(getxattr(after("file").c_str(), "trusted.a", value.data(), value.size()), 1);
  EXPECT_EQ(getxattr(after("file").c_str(), "trusted.empty", value.data(), value.size()), 0);
  EXPECT_EQ(getxattr(after("dir").c_str(), "trusted.dir", value.data(), value.size()), 3);
  EXPECT_EQ(lgetxattr(after("link").c_str(), "trusted.link", value.data(), value.size()), 1);
  EXPECT_EQ(getxattr(after("file").c_str(), "security.capability", value.data(), value.size()), 20);
}

TEST_F(BackupRestore, FlagsAlsoOfAHardLinkedFile) {
  write("nodump", "x");
  write("immutable", "x");
  ASSERT_EQ(link(before("immutable").c_str(), before("other-name").c_str()), 0);
  if (!set_flags(before("nodump"), FS_NODUMP_FL) ||
      !set_flags(before("immutable"), FS_IMMUTABLE_FL)) {
    GTEST_SKIP() << "this file system or user sets no flags";
  }
  there_and_back();
  for (const auto& [name, flag] :
       {std::pair("nodump", FS_NODUMP_FL), std::pair("immutable", FS_IMMUTABLE_FL),
        std::pair("other-name", FS_IMMUTABLE_FL)}) {
    const base::Fd file(open(after(name).c_str(), O_RDONLY));
    int flags = 0;
    ASSERT_EQ(ioctl(file.get(), FS_IOC_GETFLAGS, &flags), 0);
    EXPECT_NE(flags & flag, 0) << name;
  }
}

TEST_F(BackupRestore, HolesStayHolesAndAllocatedZerosStayAllocated) {
  {
    const base::Fd file(open(before("sparse").c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_EQ(pwrite(file.get(), "head", 4, 0), 4);
    ASSERT_EQ(pwrite(file.get(), "middle", 6, 200 << 20), 6);
    ASSERT_EQ(ftruncate(file.get(), off_t{1} << 40), 0);
  }
  write("zeros", std::string(1U << 20, '\0'));
  const base::Fd synced(open(before("zeros").c_str(), O_RDWR));
  ASSERT_EQ(fsync(synced.get()), 0);
  there_and_back();
  EXPECT_EQ(status(after("sparse")).st_size, off_t{1} << 40);
  EXPECT_EQ(status(after("sparse")).st_blocks, status(before("sparse")).st_blocks);
  const base::Fd restored(open(after("sparse").c_str(), O_RDONLY));
  std::array<char, 6> middle{};
  ASSERT_EQ(pread(restored.get(), middle.data(), 6, 200 << 20), 6);
  EXPECT_EQ(std::string_view(middle.data(), 6), "middle");
  EXPECT_EQ(status(after("zeros")).st_blocks, status(before("zeros")).st_blocks);
}

TEST_F(BackupRestore, TheSecondBackupReadsNothingUnchanged) {
  for (int i = 0; i < 20; ++i) write("file-" + std::to_string(i), noise(1 + i, 10000));
  const timespec past[2] = {{1000, 0}, {1000, 0}};
  utimensat(AT_FDCWD, before("file-0").c_str(), past, 0);
  const auto first = back_up();
  EXPECT_EQ(first.snapshot.files, 20U);
  const auto second = back_up();
  EXPECT_EQ(second.snapshot.files, 20U);
  EXPECT_EQ(second.snapshot.data_bytes, first.snapshot.data_bytes);
  EXPECT_EQ(second.snapshot.added_bytes, 0U);
  write("file-7", "changed");
  const auto third = back_up();
  EXPECT_GT(third.snapshot.added_bytes, 0U);
  restore(third.snapshot.roots);
  EXPECT_EQ(content(after("file-7")), "changed");
  EXPECT_EQ(content(after("file-8")), noise(9, 10000));
}

TEST_F(BackupRestore, OnePathAloneComesBack) {
  std::filesystem::create_directories(before("a/b"));
  write("a/b/wanted", "yes");
  write("a/unwanted", "no");
  restore(back_up().snapshot.roots, {before("a/b")});
  EXPECT_EQ(content(after("a/b/wanted")), "yes");
  EXPECT_FALSE(std::filesystem::exists(after("a/unwanted")));
  EXPECT_TRUE(problems_.empty());
}

TEST_F(BackupRestore, DamageTakesOnlyTheFilesItHits) {
  // Several segments for each file, which one worker writes in order.
  workers_ = 1;
  write("good", noise(1, 3U << 20));
  write("hit", noise(2, 3U << 20));
  const auto report = back_up();
  for (const repo::BlobInfo& object : *store_.list("packs")) {
    std::string bytes = *store_.get(object.name, 64U << 20);
    if (bytes.size() < 4U << 20) continue;
    bytes[bytes.size() - (1U << 20)] ^= 1;  // in the second file
    store_.overwrite(object.name, bytes);
  }
  const auto restored = restore(report.snapshot.roots);
  EXPECT_EQ(content(after("good")), noise(1, 3U << 20));
  EXPECT_FALSE(std::filesystem::exists(after("hit")));
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_TRUE(problems_[0].starts_with(before("hit") + ": is left out")) << problems_[0];
  EXPECT_EQ(restored.problems, 1U);
}

TEST_F(BackupRestore, AFileThatSeveralThreadsWriteHasItsHolesWhereTheyWere) {
  constexpr off_t kStep = 3 << 20;
  constexpr int kPlaces = 30;
  {
    const base::Fd file(open(before("large").c_str(), O_WRONLY | O_CREAT, 0600));
    for (int i = 0; i < kPlaces; ++i) {
      // Neighbours of several lengths, so that runs of pieces begin within data and at holes.
      const std::string data = noise(10 + i, (1U << 20) + 65536U * (i % 16));
      ASSERT_EQ(pwrite(file.get(), data.data(), data.size(), kStep * i), ssize_t(data.size()));
    }
    ASSERT_EQ(ftruncate(file.get(), kStep * kPlaces), 0);
    ASSERT_EQ(fsync(file.get()), 0);
  }
  there_and_back();
  std::ifstream was(before("large"), std::ios::binary);
  std::ifstream is(after("large"), std::ios::binary);
  const std::string wanted((std::istreambuf_iterator<char>(was)), {});
  const std::string restored((std::istreambuf_iterator<char>(is)), {});
  EXPECT_TRUE(restored == wanted);
  EXPECT_LT(status(after("large")).st_blocks * 512, kStep * kPlaces * 3 / 4);
}

TEST_F(BackupRestore, ALargeFileWithMuchDamageIsToldOfOnce) {
  workers_ = 1;
  write("good", noise(1, 1U << 20));
  write("hit", noise(2, 24U << 20));
  const auto report = back_up();
  for (const repo::BlobInfo& object : *store_.list("packs")) {
    std::string bytes = *store_.get(object.name, 64U << 20);
    if (bytes.size() < 4U << 20) continue;
    for (size_t at = 3U << 20; at < bytes.size() - (1U << 20); at += 1U << 20) bytes[at] ^= 1;
    store_.overwrite(object.name, bytes);
  }
  restore(report.snapshot.roots);
  EXPECT_EQ(content(after("good")), noise(1, 1U << 20));
  EXPECT_FALSE(std::filesystem::exists(after("hit")));
  EXPECT_EQ(problems_.size(), 1U);
}

TEST_F(BackupRestore, WritesOverNothing) {
  write("file", "x");
  const auto report = back_up();
  std::filesystem::create_directory(to_);
  std::ofstream(to_ + "/precious") << "p";
  const auto target = disk::open_posix_target(to_, true);
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().kind, base::ErrorKind::kUsage);
}

TEST_F(BackupRestore, AFileTooLargeForTheTargetIsLeftOutAlone) {
  write("a", "before it");
  write("large", noise(1, 3'000'000));
  {
    std::ofstream(before("sparse")).close();
  }
  std::filesystem::resize_file(before("sparse"), 3'000'000);
  write("z", "after it");
  const auto snapshot = back_up().snapshot;
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 1'000'000, .rlim_max = usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto report = restore(snapshot.roots);
  setrlimit(RLIMIT_FSIZE, &usual);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(report.files, 2U);
  EXPECT_EQ(content(after("a")), "before it");
  EXPECT_EQ(content(after("z")), "after it");
  EXPECT_FALSE(std::filesystem::exists(after("large")));
  EXPECT_FALSE(std::filesystem::exists(after("sparse")));
  EXPECT_EQ(problems_.size(), 2U);
  for (const std::string& problem : problems_)
    EXPECT_TRUE(problem.contains("is left out") && problem.contains("File too large")) << problem;
}

// Its content may turn out to be damaged when the directory has its attributes already.
TEST_F(BackupRestore, WhatIsDiscardedGoesAlsoFromADirectoryThatIsFinished) {
  const auto target = disk::open_posix_target(to_, true);
  ASSERT_TRUE(target);
  for (const uint32_t flags : {0U, static_cast<uint32_t>(FS_IMMUTABLE_FL)}) {
    const std::string name = flags == 0 ? "plain" : "immutable";
    auto directory = (*target)->make_directory(name);
    auto file = (*directory)->make_file("cut off");
    ASSERT_TRUE((*file)->write(0, "half"));
    model::TreeEntry entry;
    entry.type = model::FileType::kDirectory;
    entry.mode = 0555;
    entry.modified = {.seconds = 1'000'000'000, .nanoseconds = 7};
    entry.flags = flags;
    ASSERT_TRUE((*directory)->finish(entry));
    EXPECT_TRUE((*file)->discard());
    const std::string path = to_ + "/" + name;
    EXPECT_FALSE(std::filesystem::exists(path + "/cut off")) << name;
    EXPECT_EQ(status(path).st_mode & 07777, 0555U);
    EXPECT_EQ(status(path).st_mtim.tv_sec, 1'000'000'000);
    EXPECT_EQ(status(path).st_mtim.tv_nsec, 7);
    const base::Fd opened(open(path.c_str(), O_RDONLY | O_DIRECTORY));
    int now = 0;
    if (ioctl(opened.get(), FS_IOC_GETFLAGS, &now) == 0)
      EXPECT_EQ(static_cast<uint32_t>(now) & FS_IMMUTABLE_FL, flags) << name;
    if (flags != 0) EXPECT_TRUE(set_flags(path, 0));
  }
  EXPECT_TRUE((*target)->sync());
}

}  // namespace
