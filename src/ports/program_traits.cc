// What the path and the name of a program tell: half of ports/safety.h.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "ports/known_uses.h"
#include "ports/safety.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr std::array<std::string_view, 5> kWorldWritable{"/tmp/", "/var/tmp/", "/dev/shm/",
                                                         "/run/lock/", "/var/lock/"};

// Dot folders in which ordinary installers put programs for one user.
constexpr std::array<std::string_view, 21> kOrdinaryDotFolders{
    ".local",     ".cargo", ".rustup", ".nvm",         ".npm",           ".npm-global",
    ".pyenv",     ".rbenv", ".rvm",    ".sdkman",      ".asdf",          ".volta",
    ".bun",       ".deno",  ".dotnet", ".nix-profile", ".vscode-server", ".cursor-server",
    ".linuxbrew", ".venv",  ".jdks"};

// Names without version: python3.11 is compared as python, node18 as node.
constexpr std::array<std::string_view, 24> kInterpreters{
    "python", "pypy",    "perl",  "ruby",   "node",   "nodejs", "deno",      "bun",
    "php",    "php-fpm", "lua",   "luajit", "java",   "bash",   "sh",        "dash",
    "zsh",    "ksh",     "tclsh", "guile",  "dotnet", "mono",   "mono-sgen", "beam.smp"};

constexpr std::array<std::string_view, 13> kRelays{
    "nc",     "ncat",    "netcat",  "nc.openbsd", "nc.traditional", "socat", "ssh",
    "rinetd", "autossh", "stunnel", "stunnel4",   "busybox",        "redir"};

std::string_view without_version(std::string_view name) {
  const size_t end = name.find_last_not_of("0123456789.-_");
  return end == std::string_view::npos ? name : name.substr(0, end + 1);
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::optional<UsualBy> usual_holder_by(const model::KnownUse& use, const model::Process& process) {
  if (!is_usual_holder(use, process)) return std::nullopt;
  const bool runs_anything = is_interpreter(process.exe) || is_relay(process.exe);
  // A path of another file tree names neither this host's package nor this host's file.
  if (!process.exe_elsewhere) {
    if (!process.package.empty() && is_one_of(use.packages, process.package)) {
      return UsualBy::kPackage;
    }
    const bool by_path = process.exe.starts_with('/') && is_one_of(use.exes, process.exe);
    if (by_path && !runs_anything) return UsualBy::kPath;
  }
  const bool by_name = !process.exe.empty() && !runs_anything &&
                       std::ranges::any_of(use.exes, [&](std::string_view exe) {
                         return base_name(exe) == base_name(process.exe);
                       });
  return by_name ? UsualBy::kName : UsualBy::kUnit;
}

std::string_view open_folder(std::string_view exe) {
  const auto found = std::ranges::find_if(
      kWorldWritable, [&](std::string_view folder) { return exe.starts_with(folder); });
  return found == kWorldWritable.end() ? std::string_view{} : found->substr(0, found->size() - 1);
}

OddPlace odd_place(std::string_view exe) {
  // The kernel shows a program that was started from a memory file as "/memfd:NAME".
  if (exe.starts_with("/memfd:")) return OddPlace::kMemory;
  if (!open_folder(exe).empty()) return OddPlace::kWorldWritable;
  const bool at_home = exe.starts_with("/home/") || exe.starts_with("/root/");
  std::string_view rest = exe;
  while (!rest.empty()) {
    const std::string_view part = base::take_until(rest, '/');
    if (!part.starts_with('.')) continue;
    if (!at_home) return OddPlace::kHidden;
    return !rest.empty() && is_one_of(kOrdinaryDotFolders, part) ? OddPlace::kNone
                                                                 : OddPlace::kHiddenAtHome;
  }
  return OddPlace::kNone;
}

bool is_interpreter(std::string_view exe) {
  return is_one_of(kInterpreters, without_version(base_name(exe)));
}

bool may_run_in(const model::KnownUse& use, std::string_view exe) {
  const std::string_view interpreter = without_version(base_name(exe));
  return is_interpreter(exe) && std::ranges::any_of(use.exes, [&](std::string_view wanted) {
           return without_version(base_name(wanted)) == interpreter;
         });
}

bool is_relay(std::string_view exe) { return is_one_of(kRelays, base_name(exe)); }

}  // namespace ports
