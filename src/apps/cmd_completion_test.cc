#include "apps/cmd_completion.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "apps/machine_twin.h"
#include "base/text.h"

namespace apps {
namespace {

std::string script(const char* shell) {
  const auto answer = MachineTwin{}.run({"completion", shell});
  EXPECT_EQ(answer.code, 0);
  return answer.out;
}

/// The line of the script that begins with this, without it; a test fails where there is none.
std::string line_of(const std::string& text, const std::string& begin) {
  const size_t at = text.find("\n" + begin);
  EXPECT_NE(at, std::string::npos) << begin;
  if (at == std::string::npos) return {};
  const size_t from = at + 1 + begin.size();
  return text.substr(from, text.find('\n', from) - from);
}

/// From the mark to the end of its case.
std::string part_of(const std::string& text, const std::string& begin) {
  const size_t at = text.find("\n" + begin);
  EXPECT_NE(at, std::string::npos) << begin;
  return at == std::string::npos ? "" : text.substr(at, text.find(";;", at) - at);
}

bool has_word(const std::string& text, const std::string& word) {
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const auto ends = [&](size_t place) {
      return place >= text.size() || std::string_view(" '\",})[=+|:\n").contains(text[place]);
    };
    if ((at == 0 || std::string_view(" '{,\"(").contains(text[at - 1])) && ends(at + word.size())) {
      return true;
    }
  }
  return false;
}

/// First and second word; the second is "" where the name has one word.
std::pair<std::string, std::string> words_of(const CommandDescription& command) {
  std::string_view rest = command.name;
  std::string first(base::take_word(rest));
  return {std::move(first), std::string(base::take_word(rest))};
}

TEST(Completion, BashKnowsEveryCommandAndOption) {
  const std::string text = script("bash");
  for (const CommandDescription& command : describe_commands()) {
    const auto [first, second] = words_of(command);
    EXPECT_TRUE(has_word(line_of(text, "    '') values="), first)) << first;
    if (!second.empty()) {
      EXPECT_TRUE(has_word(line_of(text, "    '" + first + "') options="), second)) << command.name;
    }
    const std::string options = line_of(text, "    '" + command.name + "') options=");
    for (const OptionDescription& option : command.options) {
      for (const std::string& name : option.names) {
        EXPECT_TRUE(has_word(options, name)) << command.name << " " << name;
      }
      for (const std::string& choice : option.choices) {
        EXPECT_TRUE(has_word(text, choice)) << command.name << " " << choice;
      }
    }
  }
}

TEST(Completion, ZshKnowsEveryCommandAndOption) {
  const std::string text = script("zsh");
  for (const CommandDescription& command : describe_commands()) {
    const auto [first, second] = words_of(command);
    EXPECT_NE(text.find("\n    '" + first + ":"), std::string::npos) << first;
    if (!second.empty()) {
      EXPECT_TRUE(has_word(part_of(text, "    '" + first + "')"), second)) << command.name;
    }
    const std::string options = part_of(text, "    '" + command.name + "')");
    for (const OptionDescription& option : command.options) {
      for (const std::string& name : option.names) {
        EXPECT_TRUE(has_word(options, name)) << command.name << " " << name;
      }
    }
  }
}

TEST(Completion, FishKnowsEveryCommandAndOption) {
  const std::string text = script("fish");
  for (const CommandDescription& command : describe_commands()) {
    const auto [first, second] = words_of(command);
    EXPECT_NE(text.find(" -a " + first + " -d "), std::string::npos) << first;
    const auto on = [](const std::string& name) {
      return "complete -c twinport -n '__twinport_on \"" + name + "\"'";
    };
    if (!second.empty()) {
      EXPECT_TRUE(has_word(line_of(text, on(first) + " -a "), second)) << command.name;
    }
    for (const OptionDescription& option : command.options) {
      std::string names;
      for (const std::string& name : option.names) {
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      EXPECT_NE(text.find("\n" + on(command.name) + names + " "), std::string::npos)
          << command.name << names;
    }
  }
}

}  // namespace
}  // namespace apps
