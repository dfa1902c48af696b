// Learner: writes down as expectations what is open and who talks, for a person to go over. Pure:
// it takes what an inventory shows and what the timeline tells, in any order. One thread.
//
// How much one expectation takes in:
// - A holder is named by file, service unit, container and user, as far as they are known; who
// talks
//   to others by file, container and user alone, since many programs are started by many units.
// - A program whose ports in the ephemeral range come and go has them from the kernel: it is
//   expected on the whole range. One that has many others, one after another, chooses them itself
//   (a resolver does): it is expected on all but the system ports.
// - What is open now, and was for as long as it is known, is expected always; the rest sometimes.
// So
//   is what somebody runs in a login session.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/clock_history.h"
#include "model/expectation.h"
#include "model/inventory.h"
#include "ports/known_uses.h"
#include "ports/subject.h"

namespace ports {

struct LearnedExpectation {
  model::Expectation expectation;
  std::vector<std::string> remarks;  ///< sentences: what a person should look at
};

struct Learned {
  std::vector<LearnedExpectation> expectations;  ///< open ports first, by port
  std::vector<std::string> left_out;             ///< sentences: what could not be learned, and why
};

struct LearnOptions {
  model::PortPolicy policy;       ///< of our own namespace
  model::TimeWindow window;       ///< of the timeline; both 0 = there is none
  bool outgoing = true;           ///< learn who talks to others, too
  bool other_namespaces = false;  ///< learn of namespaces that have a name, too
};

/// Different remote ports of one program from which on all ports are expected.
inline constexpr size_t kRemotePortsNamed = 16;
/// Different local ports of one program up to which each is named.
inline constexpr size_t kOpenPortsNamed = 32;

class Learner {
 public:
  Learner(LearnOptions options, const KnownUses& known_uses)
      : options_(std::move(options)), known_uses_(known_uses) {}

  /// A socket that is open now.
  void add_open(const Subject& subject);
  /// A socket of the timeline; without `closed_us` it was still open when last heard of.
  void add_life(const Subject& subject, int64_t opened_us, std::optional<int64_t> closed_us);
  /// What the packet filter sends elsewhere.
  void add_published(const model::PublishedPort& published, const model::NetNamespace* netns);

  [[nodiscard]] Learned finish() const;

 private:
  struct Holder {
    model::HolderRule rule;
    SubjectHolder example;
    bool in_session = false;
  };
  // Texts that name a holder, so that holders can be compared.
  using HolderKey = std::vector<std::string>;
  struct PortUse {
    std::set<std::string> scopes;
    bool open_now = false;
    std::vector<model::TimeWindow> lives;
  };
  struct OpenKey {
    std::string netns;
    HolderKey holder;
    model::Protocol protocol;
    auto operator<=>(const OpenKey&) const = default;
  };

  [[nodiscard]] bool is_meant(const Subject& subject) const;
  /// nullopt, counted, where the holder cannot be named.
  std::optional<HolderKey> key_of(const SubjectHolder& holder, bool with_unit);
  void add(const Subject& subject, const std::optional<model::TimeWindow>& life);
  [[nodiscard]] std::vector<LearnedExpectation> finish_open() const;
  [[nodiscard]] std::vector<LearnedExpectation> finish_outgoing() const;
  static bool varies(const std::vector<const PortUse*>& ports);
  /// The range that the program's ports are chosen from, where they come and go.
  [[nodiscard]] std::optional<model::PortRange> chosen_from(
      const std::map<uint16_t, PortUse>& ports) const;
  [[nodiscard]] bool is_always_there(const PortUse& use, const Holder& holder) const;
  [[nodiscard]] std::string purpose_of(model::Protocol protocol, uint16_t port,
                                       const Holder& holder) const;

  LearnOptions options_;
  const KnownUses& known_uses_;
  std::map<HolderKey, Holder> holders_;
  std::map<OpenKey, std::map<uint16_t, PortUse>> open_;
  std::map<OpenKey, std::set<uint16_t>> outgoing_;  // the other ends' ports; 0 = any
  std::vector<LearnedExpectation> published_;
  uint64_t unseen_ = 0;   // sockets whose holder was not seen
  uint64_t unnamed_ = 0;  // holders of which nothing is known to name them by
};

}  // namespace ports
