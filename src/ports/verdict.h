// Judge: a socket against what is expected (DESIGN: Ports: judgement). Pure; a Judge is immutable
// and any thread may use it.
//
// The rules, in words:
// 1. Without expectations nothing is judged; nor is a socket of a network namespace that no
//    expectation names.
// 2. A port that answers others is *unexpected* when no expectation names it. Else every process
//    that holds it must be allowed: where one is certainly not, it is an *impostor*; where one
//    cannot be seen well enough, it is *unknown*; where all are allowed and it is open to more than
//    any of their expectations says, it is *wider*; else *expected*.
// 3. What is bound to [::] is open to both families unless the kernel says otherwise.
// 4. A connection that this host made is *transient* when it goes to this host itself or an
//    [[outgoing]] allows its programs to go there; *unjudged* when no [[outgoing]] exists at all;
//    *unknown* when its programs cannot be seen; else *unexpected*.
// 5. A UDP port that the kernel hands out may be a client's or a server's: it is judged as a port
//    that answers where an expectation names just that port or allows it, else as a client.
// 6. A connection that came in is as good as the listener that it came through.
// What is not known is never taken for what is expected.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/expectation.h"
#include "model/inventory.h"
#include "model/verdict.h"
#include "ports/subject.h"

namespace ports {

class Judge {
 public:
  /// `expectations` must outlive this. With `loaded` false there are none, which is not the same as
  /// an empty list: then nothing is judged, while an empty list expects nothing.
  Judge(const std::vector<model::Expectation>& expectations, bool loaded);

  [[nodiscard]] model::Verdict judge(const Subject& subject) const;
  /// A port that the packet filter sends elsewhere.
  [[nodiscard]] model::Verdict judge(const model::PublishedPort& published,
                                     const model::NetNamespace* netns) const;

  [[nodiscard]] const std::vector<model::Expectation>& expectations() const {
    return expectations_;
  }
  [[nodiscard]] bool loaded() const { return loaded_; }
  [[nodiscard]] bool judges_outgoing() const { return judges_outgoing_; }
  /// Whether sockets of this network namespace are judged at all.
  [[nodiscard]] bool speaks_of(bool own_namespace, const std::string& netns) const;
  /// Whether a rule about packages is among them, so that packages must be looked up.
  [[nodiscard]] bool needs_packages() const;

  /// Which [[expect]]s name the port, as indices.
  [[nodiscard]] std::vector<size_t> naming(model::Protocol protocol, uint16_t port,
                                           bool own_namespace, const std::string& netns) const;
  /// Whether the expectation surely allows this holder, whatever the scope.
  [[nodiscard]] static bool allows(const model::Expectation& expectation,
                                   const SubjectHolder& holder);

 private:
  /// Whether a program may go where it goes.
  struct OutgoingFit {
    std::optional<size_t> rule;  ///< the expectation that allows it
    std::string obstacle;        ///< why one that might could not be decided
    bool elsewhere = false;      ///< it may talk to others, there or elsewhere
  };
  [[nodiscard]] OutgoingFit fit_outgoing(const Subject& subject, const SubjectHolder& holder) const;
  [[nodiscard]] model::Verdict judge_open(const Subject& subject) const;
  [[nodiscard]] model::Verdict judge_bound(const Subject& subject) const;
  [[nodiscard]] model::Verdict judge_udp(const Subject& subject) const;
  [[nodiscard]] model::Verdict judge_outgoing(const Subject& subject) const;

  const std::vector<model::Expectation>& expectations_;
  bool loaded_;
  bool judges_outgoing_ = false;
  std::unordered_map<uint32_t, std::vector<size_t>> by_port_;  // single ports, with the protocol
  std::vector<size_t> ranges_;                                 // of ports
};

/// Whether a socket with this local address is open to no more than `scopes`.
bool within(const Subject& subject, const std::vector<model::Scope>& scopes);

}  // namespace ports
