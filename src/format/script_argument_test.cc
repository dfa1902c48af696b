#include "format/script_argument.h"

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

namespace {

using model::Script;
using model::ScriptKind;

std::string line(std::initializer_list<std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out.append(word).push_back('\0');
  return out;
}

Script file(std::string name) { return {ScriptKind::kFile, std::move(name)}; }
Script module(std::string name) { return {ScriptKind::kModule, std::move(name)}; }
const Script kInline{ScriptKind::kInline, {}};

struct Case {
  std::string_view program;
  std::string line;
  Script expected;
};

TEST(ScriptArgument, FindsWhatEachInterpreterWasToldToRun) {
  const Case cases[] = {
      {"python3.11", line({"python3", "/srv/app.py", "-c", "x"}), file("/srv/app.py")},
      {"python3.11", line({"python3", "-u", "-Wignore", "-X", "dev", "app.py"}), file("app.py")},
      {"python3", line({"python3", "-um", "http.server", "8000"}), module("http.server")},
      {"python3", line({"python3", "-mhttp.server"}), module("http.server")},
      {"python3", line({"python3", "-c", "password = 1"}), kInline},
      {"python3", line({"python3", "-Ec", "code"}), kInline},
      {"python3", line({"python3", "--check-hash-based-pycs", "always", "a.py"}), file("a.py")},
      {"perl", line({"perl", "-w", "-I", "lib", "-Mstrict", "x.pl"}), file("x.pl")},
      {"perl", line({"perl", "-ne", "print"}), kInline},
      {"ruby3.1", line({"ruby", "-r", "json", "-Ilib", "app.rb"}), file("app.rb")},
      {"bash", line({"/bin/bash", "-x", "-o", "pipefail", "x.sh"}), file("x.sh")},
      {"bash", line({"bash", "--norc", "+O", "extglob", "--", "-x.sh"}), file("-x.sh")},
      {"dash", line({"sh", "-ec", "nc -l 1"}), kInline},
      {"node", line({"node", "--max-old-space-size=4096", "-r", "ts", "app.js"}), file("app.js")},
      {"node", line({"node", "--print", "1"}), kInline},
      {"java", line({"java", "-Xmx1g", "-cp", "a.jar:b.jar", "-jar", "/opt/x.jar"}),
       file("/opt/x.jar")},
      {"java", line({"java", "-cp", "a.jar", "org.example.Main", "-jar", "no"}),
       module("org.example.Main")},
      {"php8.2", line({"php", "-d", "x=1", "-f", "a.php"}), file("a.php")},
      {"deno", line({"deno", "run", "--allow-net", "a.ts"}), file("a.ts")},
      {"lua5.4", line({"lua", "-l", "x", "a.lua"}), file("a.lua")},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(format::find_script_argument(one.program, one.line), one.expected) << one.line;
  }
}

TEST(ScriptArgument, ClaimsNothingWhereNothingIsSaid) {
  const Case cases[] = {
      {"nginx", line({"nginx", "/etc/x"}), {}},
      {"", line({"python3", "/srv/app.py"}), {}},
      {"python3", "", {}},
      {"python3", line({"python3"}), {}},
      {"python3", line({"python3", "-"}), {}},
      {"python3", line({"python3", ""}), {}},
      {"python3", line({"python3", "-m"}), {}},
      {"python3", line({"python3", "-m", "a module; rm"}), {}},
      {"python3", line({"python3", "-W"}), {}},
      {"python3", line({"gunicorn: master [app]"}), {}},
      {"bash", line({"bash", "-s", "word"}), {}},
      {"bash", line({"-bash"}), {}},
      {"java", line({"java", "a file.txt"}), {}},
      {"python3", line({"python3", std::string(5000, 'x')}), {}},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(format::find_script_argument(one.program, one.line), one.expected) << one.line;
  }
}

TEST(ScriptArgument, TakesHostileBytesAsBytes) {
  EXPECT_EQ(format::find_script_argument("python3", "python3"), Script{}) << "no NUL at the end";
  EXPECT_EQ(format::find_script_argument("python3", std::string("p\0\x1b[31m\n\xff.py", 13)),
            file("\x1b[31m\n\xff.py"));
  EXPECT_EQ(format::find_script_argument("python3", std::string(100000, '\0')), Script{});
  std::string many = line({"python3"});
  for (int i = 0; i < 1000; ++i) many += line({"-u"});
  EXPECT_EQ(format::find_script_argument("python3", many + line({"late.py"})), Script{});
}

}  // namespace
