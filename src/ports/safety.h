// Is it safe, and on what evidence? A small judgement of who holds a port: every sign is named, for
// and against, and nothing is claimed that was not looked at. A pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/registry_entry.h"
#include "ports/holds.h"
#include "ports/port_facts.h"

namespace ports {

/// What a person should do, mildest first; the worst sign decides.
enum class Level : uint8_t {
  kNoConcern,   ///< nothing that we looked at speaks against it; no proof of innocence
  kLook,        ///< something is worth a look
  kCannotTell,  ///< we could not see enough, and say what was missing
  kAct,         ///< a sign that should not be left until tomorrow
};
std::string_view level_name(Level level);  ///< "no-concern", "look", "cannot-tell", "act"

enum class Leaning : uint8_t { kFor, kAgainst, kNeutral, kMissing };
std::string_view leaning_name(Leaning leaning);  ///< "for", "against", "neutral", "missing"

struct Evidence {
  std::string name;  ///< stable word for JSON, e.g. "usual-holder"
  Leaning leaning = Leaning::kNeutral;
  Level asks = Level::kNoConcern;  ///< what this sign alone calls for
  std::string about;               ///< "sshd (pid 812)", "" = the port as a whole
  std::string sentence;
};

/// What to do next, and a command that does it ("" = none).
struct NextStep {
  std::string sentence;
  std::string command;
  bool operator==(const NextStep&) const = default;
};

struct Assessment {
  Level level = Level::kNoConcern;
  std::string sentence;            ///< the judgement in one sentence
  std::vector<Evidence> evidence;  ///< worst first; for, neutral and missing are all kept
  std::vector<NextStep> next_steps;
};

/// How the holders were looked at; what was not looked at is no evidence.
struct SafetyContext {
  bool caller_is_root = false;
  uint32_t processes_hidden = 0;  ///< processes whose open files could not be seen
  int32_t own_pid = 0;            ///< of the process that asks: what it inherited is no evidence
  bool packages_known = false;    ///< Debian's package lists were read for these programs
  bool verified = false;          ///< programs were compared with their packages' checksums
};

/// What is judged: everything that has to do with one port.
struct SafetySubject {
  std::span<const Hold> holds;
  /// Listeners that a packet filter rule may send callers of this port to.
  std::span<const Hold> behind_published;
  std::span<const model::PublishedPort> published;
  std::span<const model::KnownUse* const> uses;  ///< known uses of the port
  const PortFacts& facts;
};

Assessment assess(const SafetySubject& subject, const SafetyContext& context);

/// By what a process is recognised as a usual holder, most telling first.
enum class UsualBy : uint8_t { kPackage, kPath, kUnit, kName };
std::optional<UsualBy> usual_holder_by(const model::KnownUse& use, const model::Process& process);

/// A place where a program should not normally stand.
enum class OddPlace : uint8_t {
  kNone,
  kMemory,         ///< a memfd: the program never was a file
  kWorldWritable,  ///< /tmp and the like: any user may have put it there
  kHiddenAtHome,   ///< a dot folder of a home directory
  kHidden,         ///< a dot folder anywhere else
};
OddPlace odd_place(std::string_view exe);
/// The folder of kWorldWritable that the program stands in or below, "/var/tmp"; "" = none.
std::string_view open_folder(std::string_view exe);

/// The program runs whatever script it is given (python3), so its package vouches for nothing more.
bool is_interpreter(std::string_view exe);
/// `exe` is an interpreter that the entry's software runs in: the script may be that software, and
/// may be anything else.
bool may_run_in(const model::KnownUse& use, std::string_view exe);
/// The program passes data on to somewhere else (nc, socat, ssh): who it serves is elsewhere.
bool is_relay(std::string_view exe);

}  // namespace ports
