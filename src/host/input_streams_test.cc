// Commands as streams: all they write arrives, and no end but exit code 0 is taken for a good one.
#include "host/input_streams.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <gtest/gtest.h>

namespace host {
namespace {

struct Heard {
  std::string out;
  std::string errors;  ///< what was passed on of standard error
  std::string failure;
};

Heard hear(std::vector<std::string> command, size_t portion) {
  const base::Fd errors(memfd_create("errors", MFD_CLOEXEC));
  CommandStream stream(std::move(command), errors.get());
  Heard heard;
  std::string buffer(portion, '\0');
  while (true) {
    const auto got = stream.read(buffer);
    if (!got) {
      heard.failure = got.error().message;
      break;
    }
    heard.out.append(buffer, 0, *got);
    if (*got < portion) break;
  }
  heard.errors.resize(static_cast<size_t>(lseek(errors.get(), 0, SEEK_END)));
  EXPECT_EQ(pread(errors.get(), heard.errors.data(), heard.errors.size(), 0),
            static_cast<ssize_t>(heard.errors.size()));
  return heard;
}

Heard hear_script(const std::string& script, size_t portion = 1000) {
  return hear({"sh", "-c", script}, portion);
}

TEST(CommandStream, BringsAllThatIsWrittenInWholePortions) {
  const Heard heard = hear_script("seq 100000; echo noticed >&2");
  EXPECT_EQ(heard.failure, "");
  EXPECT_EQ(heard.out.size(), 588895U);
  EXPECT_TRUE(heard.out.ends_with("\n99999\n100000\n"));
  EXPECT_EQ(heard.errors, "noticed\n");
}

TEST(CommandStream, TakesNoArgumentForMoreThanAWord) {
  EXPECT_EQ(hear({"printf", "%s|", "a b", "$HOME", ""}, 100).out, "a b|$HOME||");
}

TEST(CommandStream, FailsAtTheEndOfACommandThatFailsWhateverThePortions) {
  for (const size_t portion : {1U, 4U, 5U, 1000U}) {
    const Heard heard = hear_script("printf data; echo 'no such table' >&2; exit 3", portion);
    EXPECT_EQ(heard.failure,
              "the command sh failed with exit code 3; it said last:\n  no such table")
        << portion;
    EXPECT_EQ(heard.errors, "no such table\n");
  }
}

TEST(CommandStream, WaitsForTheExitCodeOfOneThatClosedItsOutputEarlier) {
  const Heard heard = hear_script("printf data; exec >&-; echo late >&2; exit 1");
  EXPECT_EQ(heard.failure, "the command sh failed with exit code 1; it said last:\n  late");
}

TEST(CommandStream, NamesTheSignalThatKilledIt) {
  const Heard heard = hear_script("printf data; kill -9 $$");
  EXPECT_EQ(heard.failure,
            "the command sh was killed by signal 9 (Killed); it said nothing on standard error");
}

TEST(CommandStream, QuotesOnlyTheLastLinesAndNoControlCharacters) {
  const Heard heard = hear_script("seq 100000 >&2; printf '\\033[2Jend\\n' >&2; exit 1");
  EXPECT_TRUE(
      heard.failure.ends_with("it said last:\n  99997\n  99998\n  99999\n  100000\n  \\x1b[2Jend"))
      << heard.failure;
  EXPECT_EQ(heard.errors.size(), 588895U + 8U);
}

TEST(CommandStream, SaysWhatCannotBeRun) {
  EXPECT_EQ(hear({"/nothing/here"}, 10).failure,
            "cannot run /nothing/here: No such file or directory");
}

TEST(CommandStream, OneThatNobodyReadsFromAnyMoreEnds) {
  const base::Fd errors(open("/dev/null", O_WRONLY | O_CLOEXEC));
  std::array<int, 2> alive{};
  ASSERT_EQ(pipe(alive.data()), 0);  // the command inherits its end
  const base::Fd reader(alive[0]);
  {
    base::Fd writer(alive[1]);
    CommandStream stream({"yes"}, errors.get());
    std::string buffer(10, '\0');
    ASSERT_EQ(stream.read(buffer), 10U);
  }
  char byte = 0;
  EXPECT_EQ(read(reader.get(), &byte, 1), 0) << "ends only when the command is gone";
}

TEST(DescriptorStream, FillsWhatIsAskedForUntilTheEnd) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const base::Fd reader(ends[0]);
  base::Fd writer(ends[1]);
  ASSERT_EQ(write(writer.get(), "abcdefg", 7), 7);
  writer.reset();
  DescriptorStream stream(reader.get(), "the pipe");
  std::string buffer(5, '\0');
  EXPECT_EQ(stream.read(buffer), 5U);
  EXPECT_EQ(buffer, "abcde");
  EXPECT_EQ(stream.read(buffer), 2U);
  EXPECT_EQ(stream.read(buffer), 0U);
}

TEST(DescriptorStream, NamesWhatCannotBeRead) {
  const base::Fd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  DescriptorStream stream(directory.get(), "standard input");
  std::string buffer(5, '\0');
  const auto got = stream.read(buffer);
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().message.starts_with("cannot read standard input: "));
}

}  // namespace
}  // namespace host
