#include "ports/program_evidence.h"

#include <algorithm>
#include <array>
#include <set>

#include "ports/absence.h"
#include "ports/known_uses.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::KnownUse;
using model::PackageCheck;
using model::Process;

constexpr size_t kUsualHoldersNamed = 3;

class ProgramScale {
 public:
  ProgramScale(const Hold& hold, const Program& program, const PortFacts& facts,
               std::span<const KnownUse* const> uses, const SafetyContext& context)
      : hold_(hold),
        process_(program.process),
        facts_(facts),
        context_(context),
        about_(process_in_words(program.process)) {
    // Behind a packet filter's rule the port may be another one, of which nothing was asked.
    if (hold.port != facts.port) return;
    port_is_known_ =
        !std::ranges::all_of(uses, [](const KnownUse* use) { return is_planned(*use); });
    for (const KnownUse* use : uses) {
      if (is_planned(*use)) continue;
      const bool same_transport =
          use->protocols.empty() ||
          std::ranges::find(use->protocols, hold.protocol) != use->protocols.end();
      if (same_transport) uses_.push_back(use);
    }
  }

  ProgramFindings weigh();

 private:
  void for_it(std::string name, std::string sentence) {
    add(std::move(name), Leaning::kFor, Level::kNoConcern, std::move(sentence));
  }
  void neutral(std::string name, std::string sentence) {
    add(std::move(name), Leaning::kNeutral, Level::kNoConcern, std::move(sentence));
  }
  void against(std::string name, Level asks, std::string sentence) {
    add(std::move(name), Leaning::kAgainst, asks, std::move(sentence));
  }
  void add(std::string name, Leaning leaning, Level asks, std::string sentence) {
    out_.evidence.push_back({std::move(name), leaning, asks, about_, std::move(sentence)});
  }
  void step(std::string sentence, std::string command) {
    out_.next_steps.push_back({std::move(sentence), std::move(command)});
  }
  [[nodiscard]] std::string pid() const { return std::to_string(process_.pid); }

  bool weigh_visibility();
  void weigh_usual();
  void weigh_borrowed_name();
  void weigh_package();
  void weigh_checksum();
  void weigh_place();
  void weigh_kind();
  void weigh_user();

  [[nodiscard]] bool exposed() const { return hold_.answers() && hold_.reach != Reach::kLoopback; }
  [[nodiscard]] bool packaged() const {
    return !process_.exe_elsewhere && !process_.package.empty();
  }
  [[nodiscard]] bool certainly_unpackaged() const {
    return context_.packages_known && !process_.exe_elsewhere && !process_.exe.empty() &&
           process_.package.empty();
  }

  const Hold& hold_;
  const Process& process_;
  const PortFacts& facts_;
  const SafetyContext& context_;
  std::string about_;
  std::vector<const KnownUse*> uses_;  // of this transport
  bool port_is_known_ = true;
  bool usual_ = false;
  std::vector<std::string> may_be_;  // software that runs in this interpreter
  ProgramFindings out_;
};

bool names_holders(const KnownUse& use) {
  return !use.exes.empty() || !use.packages.empty() || !use.units.empty();
}

// False: nothing more can be weighed.
bool ProgramScale::weigh_visibility() {
  if (process_.gone) {
    add("process-gone", Leaning::kMissing, Level::kCannotTell,
        "It ended before anything about it could be read. Ask again to see who holds the port "
        "now.");
    return false;
  }
  if (process_.details_hidden || process_.exe.empty()) {
    const std::string root = context_.caller_is_root
                                 ? "Its program file could not be read, even by root."
                                 : "Its program file could not be read; root could.";
    add("program-hidden", Leaning::kMissing, Level::kCannotTell, root);
    if (!context_.caller_is_root) {
      step("Run it again as root.", "sudo twinport explain " + std::to_string(facts_.port));
    }
    return false;
  }
  return true;
}

void ProgramScale::weigh_usual() {
  if (!hold_.answers()) return;
  for (const KnownUse* use : uses_) {
    const auto by = usual_holder_by(*use, process_);
    if (!by) continue;
    usual_ = true;
    const std::string software(use->software);
    switch (*by) {
      case UsualBy::kPackage:
        for_it("usual-holder", "Its package " + process_.package +
                                   " is a usual holder of this port (" + software + ").");
        break;
      case UsualBy::kPath:
        for_it("usual-holder", "Its program " + name_in_words(process_.exe) +
                                   " is a usual holder of this port (" + software + ").");
        break;
      case UsualBy::kUnit:
        for_it("usual-holder", "It runs as " + name_in_words(process_.placement.unit) +
                                   ", a usual holder of this port (" + software + ").");
        break;
      case UsualBy::kName:
        for_it("usual-name", "Its file has the name of a usual holder of this port (" + software +
                                 "); a name alone proves little.");
        break;
    }
    return;
  }
  std::vector<std::string> others;
  std::vector<std::string> unlisted;
  for (const KnownUse* use : uses_) {
    std::string software(use->software);
    // What calls out, or is Windows', is no candidate for a holder here.
    const bool candidate = use->direction != model::Direction::kOutbound &&
                           use->profile != "windows" && names_software(*use);
    if (!names_holders(*use) && !candidate) continue;
    auto& list = !names_holders(*use)             ? unlisted
                 : may_run_in(*use, process_.exe) ? may_be_
                                                  : others;
    if (std::ranges::find(list, software) == list.end()) list.push_back(std::move(software));
  }
  if (!may_be_.empty()) return;
  if (!unlisted.empty()) {
    add("holder-not-compared", Leaning::kMissing, Level::kNoConcern,
        "We do not know which programs belong to " + listed_briefly(unlisted, kUsualHoldersNamed) +
            ", so whether it is a usual holder of this port cannot be compared.");
    return;
  }
  if (others.empty()) return;
  const bool could_be_anything =
      certainly_unpackaged() || is_interpreter(process_.exe) || is_relay(process_.exe);
  const bool look = exposed() && (could_be_anything || facts_.own.privileged);
  against("not-usual-holder", look ? Level::kLook : Level::kNoConcern,
          "It is not among the holders that we know to be usual here (" +
              listed_briefly(others, kUsualHoldersNamed) + ").");
}

// A program may call itself anything. The names worth borrowing are those of the usual holders and
// of kernel threads.
void ProgramScale::weigh_borrowed_name() {
  if (process_.is_kernel_thread) return;
  const std::string_view command = process_.command;
  static constexpr std::array<std::string_view, 6> kKernelNames{
      "[", "kworker/", "kthreadd", "ksoftirqd", "rcu_", "migration/"};
  if (std::ranges::any_of(kKernelNames,
                          [&](std::string_view name) { return command.starts_with(name); })) {
    against("poses-as-kernel", Level::kAct,
            "It calls itself like a thread of the kernel, and it is an ordinary program: " +
                name_in_words(process_.exe) + ".");
    return;
  }
  if (usual_ || !hold_.answers() || is_interpreter(command)) return;
  for (const KnownUse* use : uses_) {
    for (const std::string_view exe : use->exes) {
      if (base_name(exe) != command) continue;
      const std::string claim =
          "It calls itself " + name_in_words(command) + ", like a usual holder of this port, ";
      const std::string file = name_in_words(process_.exe);
      if (is_interpreter(process_.exe)) {
        neutral("borrowed-name", claim + "and is a script that " + file +
                                     " runs; a script may call itself anything.");
      } else {
        against("borrowed-name", Level::kLook, claim + "but the program file is " + file + ".");
      }
      return;
    }
  }
}

void ProgramScale::weigh_package() {
  if (process_.exe_elsewhere) {
    const std::string& container = process_.placement.container;
    neutral("other-file-tree",
            (container.empty() ? std::string("It runs in another file tree")
                               : "It runs in container " + name_in_words(container)) +
                ", so the packages of this host say nothing about its program.");
    return;
  }
  if (packaged()) {
    std::string package = process_.package;
    if (!process_.package_version.empty()) package += " " + process_.package_version;
    for_it("packaged", "Its program comes from Debian package " + package + ".");
    weigh_checksum();
    return;
  }
  if (!certainly_unpackaged()) return;
  const bool look = exposed() && !usual_ && (!port_is_known_ || process_.uid == 0);
  against("unpackaged", look ? Level::kLook : Level::kNoConcern,
          "No Debian package ships its program " + name_in_words(process_.exe) +
              (look && !port_is_known_ ? ", and we know of no software that uses this port."
                                       : ": it was put there by hand or by another installer."));
  if (look) {
    step("See what it is: when it was started, by whom, with what.",
         "ps -o pid,lstart,user,args -p " + pid());
  }
}

void ProgramScale::weigh_checksum() {
  // The file that was checked is not the one that runs.
  if (!context_.verified || process_.exe_deleted) return;
  switch (process_.package_check) {
    case PackageCheck::kIntact:
      for_it("checksum-intact", "The file is byte for byte what the package shipped.");
      return;
    case PackageCheck::kModified:
      against("checksum-modified", Level::kAct,
              "The file " + name_in_words(process_.exe) + " is not what package " +
                  process_.package + " shipped: somebody or something changed it.");
      step("Compare the whole package, and reinstall it if nobody here changed it on purpose.",
           "dpkg --verify " + process_.package);
      return;
    case PackageCheck::kNoChecksum:
      neutral("checksum-absent", "The package has no checksum for this file.");
      return;
    case PackageCheck::kUnreadable:
      add("checksum-unreadable", Leaning::kMissing, Level::kNoConcern,
          "The file could not be read to compare it with its package.");
      return;
    case PackageCheck::kNotAsked:
      return;
  }
}

void ProgramScale::weigh_place() {
  const OddPlace place = odd_place(process_.exe);
  const bool grave = exposed() || process_.exe_deleted || (hold_.answers() && process_.uid == 0);
  const std::string exe = name_in_words(process_.exe);
  switch (place) {
    case OddPlace::kNone:
      break;
    case OddPlace::kMemory:
      against("program-in-memory", Level::kAct,
              "Its program never was a file: it was started from memory (memfd), as few honest "
              "programs are.");
      break;
    case OddPlace::kWorldWritable:
      against("program-in-open-folder", grave ? Level::kAct : Level::kLook,
              "Its program " + exe + " stands in or below " +
                  std::string(open_folder(process_.exe)) + ", where any user may put files.");
      break;
    case OddPlace::kHidden:
      against("program-in-hidden-folder", grave ? Level::kAct : Level::kLook,
              "Its program " + exe + " stands in a hidden folder.");
      break;
    case OddPlace::kHiddenAtHome:
      against("program-in-hidden-folder", Level::kLook,
              "Its program " + exe + " stands in a hidden folder of a user's home.");
      break;
  }
  if (place != OddPlace::kNone) {
    step("Find out who started it, and with what.", "ps -o pid,lstart,user,args -p " + pid());
    step("Keep a copy of the program before you stop it.",
         "sudo cp /proc/" + pid() + "/exe ./program-of-" + pid());
  }
  if (!process_.exe_deleted || place == OddPlace::kMemory) return;
  against("program-deleted", hold_.answers() ? Level::kLook : Level::kNoConcern,
          "The file it was started from, " + exe +
              (process_.exe_replaced ? ", has been replaced since" : ", has been removed since") +
              ". An upgrade does that; so does somebody who covers tracks.");
  if (place != OddPlace::kNone) return;  // nothing that an upgrade puts there
  const std::string& unit = process_.placement.unit;
  if (unit.ends_with(".service") && name_in_words(unit) == unit) {
    step("If it was upgraded, restart it to run the new version.", "systemctl restart " + unit);
  } else {
    step("If it was upgraded, restart it to run the new version.", "");
  }
}

void ProgramScale::weigh_kind() {
  if (!hold_.answers()) return;
  const std::string name = name_in_words(base_name(process_.exe));
  if (is_interpreter(process_.exe)) {
    if (usual_) return;
    const std::string script = script_in_words(process_.script);
    std::string sentence =
        name + " runs whatever script it is given" +
        (script.empty()
             ? ", and which one is not known"
             : "; by its command line, which it could have rewritten, that is " + script);
    if (!may_be_.empty()) {
      sentence += ": software that uses this port runs in it (" +
                  listed_briefly(may_be_, kUsualHoldersNamed) + "), and so does anything else";
    }
    if (exposed()) {
      sentence += std::string(". It is open to other machines") +
                  (process_.uid == 0 ? " and runs as root" : "") +
                  (port_is_known_ ? "" : ", on a port that we know no software for");
    }
    against("interpreter", exposed() ? Level::kLook : Level::kNoConcern, sentence + ".");
    step(script.empty() ? "See which script it runs." : "See its whole command line.",
         "ps -o args= -p " + pid());
  } else if (is_relay(process_.exe) && !usual_) {
    against("relay", exposed() ? Level::kLook : Level::kNoConcern,
            name + " passes data on: who calls this port comes out somewhere else.");
    step("See where it leads.", "ps -o args= -p " + pid());
  }
}

void ProgramScale::weigh_user() {
  if (!hold_.answers() || process_.uid != 0) return;
  const bool whole_machine = exposed() && !process_.exe_elsewhere && hold_.own_namespace;
  neutral("runs-as-root", whole_machine
                              ? "It runs as root, so a flaw in it would give away the machine."
                              : "It runs as root.");
}

ProgramFindings ProgramScale::weigh() {
  if (!weigh_visibility()) return std::move(out_);
  weigh_usual();
  weigh_borrowed_name();
  weigh_package();
  weigh_place();
  weigh_kind();
  weigh_user();
  return std::move(out_);
}

}  // namespace

ProgramFindings weigh_program(const Hold& hold, const Program& program, const PortFacts& facts,
                              std::span<const KnownUse* const> uses, const SafetyContext& context) {
  return ProgramScale(hold, program, facts, uses, context).weigh();
}

}  // namespace ports
