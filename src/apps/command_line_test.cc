#include "apps/command_line.h"

#include <gtest/gtest.h>

#include "apps/machine_twin.h"
#include "base/text.h"

namespace apps {
namespace {

TEST(CommandLine, SuggestsTheNearestCommand) {
  const auto answer = MachineTwin{}.run({"versoin"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.out, "");
  EXPECT_EQ(answer.err,
            "twinport: there is no command \"versoin\"; did you mean \"version\"?\n"
            "See `twinport --help`.\n");
}

TEST(CommandLine, SuggestsTheNearestOption) {
  const auto answer = MachineTwin{}.run({"version", "--jsn"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err,
            "twinport: \"version\" takes no option \"--jsn\"; did you mean \"--json\"?\n"
            "See `twinport version --help`.\n");
}

TEST(CommandLine, RefusesAnEmptyValueRatherThanChangeTheQuestion) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"who", "22", "--at", ""},
                                                {"timeline", "--since", ""},
                                                {"ports", "--sort", ""},
                                                {"record", "--for", ""},
                                                {"registry", "import", ""}}) {
    const auto answer = MachineTwin{}.run(words);
    EXPECT_EQ(answer.code, 2) << words[0];
    EXPECT_NE(answer.err.find("is empty: give one"), std::string::npos) << answer.err;
  }
}

TEST(CommandLine, OneLetterIsNearNoOther) {
  const auto answer = MachineTwin{}.run({"ports", "-x"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(
      answer.err,
      "twinport: \"ports\" takes no option \"-x\"; of one letter there are -a, -c, -s, -w and "
      "-h\nSee `twinport ports --help`.\n");
}

TEST(CommandLine, AFlagTakesNoValue) {
  for (const char* flag : {"--json=1", "--json=0", "--json=", "--json=no", "--help=1", "-h=1"}) {
    const auto answer = MachineTwin{}.run({"version", flag});
    EXPECT_EQ(answer.code, 2) << flag;
    EXPECT_EQ(answer.out, "");
    EXPECT_NE(answer.err.find("takes no value: write it to have it, leave it out to not"),
              std::string::npos)
        << answer.err;
  }
  EXPECT_EQ(MachineTwin{}.run({"explain", "1", "--config=/nowhere"}).code, 0);
}

TEST(CommandLine, ANumberThatIsNoPortIsCalledSoByEveryCommand) {
  for (const char* command : {"ports", "who", "explain", "registry"}) {
    for (const char* number : {"65536", "70000-80000", "99999/tcp", "-1"}) {
      const auto answer = MachineTwin{}.run({command, number});
      EXPECT_EQ(answer.code, 2) << command << " " << number;
      EXPECT_NE(answer.err.find("ports are numbers from 0 to 65535"), std::string::npos)
          << command << " " << number << ": " << answer.err;
    }
  }
}

TEST(CommandLine, RefusesAnArgumentTooMany) {
  const auto answer = MachineTwin{}.run({"version", "now"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_EQ(answer.err,
            "twinport: \"version\" takes no argument \"now\"\nSee `twinport version --help`.\n");
}

TEST(CommandLine, TakesAllBehindTwoDashesForArguments) {
  const auto plain = MachineTwin{}.run({"registry", "1744"});
  EXPECT_EQ(plain.code, 0);
  EXPECT_EQ(MachineTwin{}.run({"registry", "--", "1744"}).out, plain.out);
  EXPECT_EQ(MachineTwin{}.run({"version", "--", "--json"}).code, 2);
}

TEST(CommandLine, NeverPassesControlCharactersBack) {
  for (const char* word : {"\x1b[31m", "--\x1b[31m", "\xff"}) {
    const auto answer = MachineTwin{}.run({"version", word});
    EXPECT_EQ(answer.code, 2);
    EXPECT_EQ(answer.err.find_first_of("\x1b\xff"), std::string::npos);
  }
}

TEST(CommandLine, NeverPassesControlCharactersOfAPathBack) {
  const auto answer = MachineTwin{}.run({"registry", "import", "/none/\x1b[31m"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_NE(answer.err.find("/none/"), std::string::npos);
  EXPECT_EQ(answer.err.find('\x1b'), std::string::npos);
}

TEST(CommandLine, TakesSharedOptionsBetweenTheWordsOfACommand) {
  const auto plain = MachineTwin{}.run({"registry", "search", "unitrends", "--json"});
  EXPECT_EQ(plain.code, 0);
  EXPECT_EQ(MachineTwin{}.run({"registry", "--json", "search", "unitrends"}).out, plain.out);
  EXPECT_EQ(MachineTwin{}.run({"registry", "--state", "/s", "search", "unitrends", "--json"}).out,
            plain.out);
}

TEST(CommandLine, TakesSharedOptionsBeforeAndBehindTheCommand) {
  const std::string json =
      "{\"schema\":\"twinport/1\",\"command\":\"version\",\"version\":\"" TWINPORT_VERSION "\"}\n";
  EXPECT_EQ(MachineTwin{}.run({"--json", "version"}).out, json);
  EXPECT_EQ(MachineTwin{}.run({"version", "--json"}).out, json);
  EXPECT_EQ(MachineTwin{}.run({"--state", "/s", "version", "--config=/c", "--json"}).out, json);
}

TEST(CommandLine, ShowsTheOverviewAsAnErrorWhenNothingWasAsked) {
  const auto nothing = MachineTwin{}.run({});
  const auto help = MachineTwin{}.run({"--help"});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.out, nothing.err);
  EXPECT_EQ(MachineTwin{}.run({"help"}).out, help.out);
}

TEST(CommandLine, GivesTheSameHelpInBothWays) {
  for (const CommandDescription& command : describe_commands()) {
    MachineTwin twin;
    std::vector<std::string> words{"help"};
    std::vector<std::string> other;
    std::string_view rest = command.name;
    for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
      words.emplace_back(word);
      other.emplace_back(word);
    }
    other.emplace_back("--help");
    const auto help = twin.run(words);
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(twin.run(other).out, help.out);
    EXPECT_NE(help.out.find("Usage: twinport " + command.name), std::string::npos);
  }
}

TEST(CommandLine, AWordThatOnlyBeginsCommandsHasHelpOfItsOwn) {
  const auto help = MachineTwin{}.run({"expect", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(MachineTwin{}.run({"help", "expect"}).out, help.out);
  for (const char* part :
       {"Usage: twinport expect COMMAND", "\n  expect learn ", "\n  expect check ",
        "\n  expect show ", "Examples:\n  twinport expect learn"}) {
    EXPECT_NE(help.out.find(part), std::string::npos) << part << "\n" << help.out;
  }
  EXPECT_EQ(MachineTwin{}.run({"expect"}).code, 2);
  EXPECT_EQ(MachineTwin{}.run({"expect", "lern", "--help"}).code, 2);
  EXPECT_EQ(MachineTwin{}.run({"help", "expect", "lern"}).code, 2);
  EXPECT_EQ(MachineTwin{}.run({"registry", "--help"}).out,
            MachineTwin{}.run({"help", "registry"}).out);
}

TEST(CommandLine, KeepsHelpWithinEightyColumns) {
  for (const CommandDescription& command : describe_commands()) {
    MachineTwin twin;
    twin.columns = 80;
    twin.variables["NO_COLOR"] = "1";
    const std::string help = twin.run({"help", command.name}).out;
    std::string_view rest = help;
    while (!rest.empty()) {
      const std::string_view line = base::take_until(rest, '\n');
      EXPECT_LE(base::display_width(line), 80U) << line;
    }
  }
}

TEST(CommandLine, ColoursOnlyATerminalAndNeverWithNoColor) {
  MachineTwin twin;
  EXPECT_EQ(twin.run({"--help"}).out.find('\x1b'), std::string::npos);
  twin.columns = 80;
  EXPECT_NE(twin.run({"--help"}).out.find('\x1b'), std::string::npos);
  twin.variables["NO_COLOR"] = "1";
  EXPECT_EQ(twin.run({"--help"}).out.find('\x1b'), std::string::npos);
  twin.variables["NO_COLOR"] = "";
  twin.variables["TERM"] = "dumb";
  EXPECT_EQ(twin.run({"--help"}).out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace apps
