#include "ports/safety.h"

#include <algorithm>

#include "ports/program_evidence.h"
#include "ports/words.h"

namespace ports {
namespace {

using model::Holding;
using model::SocketState;

class Judge {
 public:
  Judge(const PortFacts& facts, const SafetyContext& context) : facts_(facts), context_(context) {}

  void add(Evidence evidence) {
    const auto same = [&](const Evidence& other) {
      return other.name == evidence.name && other.about == evidence.about &&
             other.sentence == evidence.sentence;
    };
    if (std::ranges::none_of(evidence_, same)) evidence_.push_back(std::move(evidence));
  }
  void step(std::string sentence, std::string command = "") {
    NextStep next{std::move(sentence), std::move(command)};
    if (std::ranges::find(steps_, next) == steps_.end()) steps_.push_back(std::move(next));
  }

  void judge_holding(const Hold& hold);
  void judge_traffic(const Hold& hold);
  void judge_place(const Hold& hold);
  Assessment finish(bool somebody, bool published);

 private:
  [[nodiscard]] static std::string what(const Hold& hold);

  const PortFacts& facts_;
  const SafetyContext& context_;
  std::vector<Evidence> evidence_;
  std::vector<NextStep> steps_;
};

std::string Judge::what(const Hold& hold) {
  const bool one = hold.sockets == 1;
  switch (hold.role) {
    case HoldRole::kListener:
      return one ? "a listener" : counted(hold.sockets, "listening socket");
    case HoldRole::kUdpOpen:
    case HoldRole::kBound:
      return one ? "a socket" : counted(hold.sockets, "socket");
    case HoldRole::kServed:
    case HoldRole::kConnection:
    case HoldRole::kRemote:
      return one ? "a connection" : counted(hold.sockets, "connection");
  }
  return "a socket";
}

// Sockets for which no process can be named: what that means, and never a guess.
void Judge::judge_holding(const Hold& hold) {
  const auto missing = [&](std::string name, std::string sentence) {
    add({std::move(name), Leaning::kMissing, Level::kCannotTell, "", std::move(sentence)});
  };
  switch (hold.holding) {
    case Holding::kHidden:
      if (context_.caller_is_root) {
        // As long as one process keeps its descriptors from us, that nobody's descriptor leads to
        // the socket cannot be told either.
        missing("owner-hidden",
                "No process in sight holds " + what(hold) +
                    ": one of those does that this system "
                    "hides even from root" +
                    (context_.processes_hidden > 0
                         ? " (" + counted(context_.processes_hidden, "process", "processes") + ")"
                         : std::string()) +
                    ", or it is on its way between processes or kept by io_uring.");
        step(
            "Look from outside: on the host of this container, or as the guard (sandbox, security "
            "module) that hides processes here.");
      } else {
        missing("owner-hidden",
                "No program of yours holds " + what(hold) + ", and only root may see whose it is.");
        step("Run it again as root.", "sudo twinport explain " + std::to_string(facts_.port));
      }
      return;
    case Holding::kNoDescriptor:
      missing("owner-without-descriptor",
              "A program holds " + what(hold) +
                  " outside its table of open files (handed to another program and not yet taken, "
                  "or kept by io_uring), so that no process can be named.");
      return;
    case Holding::kUnknown:
      missing("owner-unknown",
              "Nothing that we can read tells who holds " + what(hold) + " on this port.");
      if (!context_.caller_is_root) {
        step("Run it again as root.", "sudo twinport explain " + std::to_string(facts_.port));
      }
      return;
    case Holding::kKernel:
      add({"held-by-kernel", Leaning::kNeutral, Level::kNoConcern, "",
           "The kernel itself opened it; no program does. NFS, WireGuard and VXLAN do so."});
      return;
    case Holding::kTimeWait:
    case Holding::kHandshake:
    case Holding::kNotAccepted:
    case Holding::kOrphaned:
    case Holding::kVanished:
    case Holding::kOwned:
      return;
  }
}

void Judge::judge_traffic(const Hold& hold) {
  if (hold.queue_full) {
    add({"queue-full", Leaning::kAgainst, Level::kLook, "",
         "Its queue of new connections is full (" + grouped(hold.waiting) + " wait, limit " +
             grouped(hold.backlog) +
             "): the program is stuck or too slow, and the kernel drops new callers."});
  }
  const uint32_t close_wait = hold.in_state(SocketState::kCloseWait);
  if (close_wait >= kCloseWaitPile && hold.holding == Holding::kOwned) {
    add({"close-wait", Leaning::kAgainst, Level::kLook, "",
         counted(close_wait, "connection") +
             " in close-wait: the other side has hung up and the program has not closed its end. "
             "That is a defect in the program, and it will run out of descriptors."});
  }
}

void Judge::judge_place(const Hold& hold) {
  if (!hold.answers()) return;
  const std::string whose = hold.own_namespace ? "this machine" : "its network namespace";
  switch (hold.reach) {
    case Reach::kLoopback:
      add({"loopback-only", Leaning::kFor, Level::kNoConcern, "",
           "It takes calls from this machine only (loopback)."});
      break;
    case Reach::kAddresses:
      add({"some-addresses", Leaning::kNeutral, Level::kNoConcern, "",
           "It takes calls on particular addresses of " + whose +
               ", so other machines may reach it unless a firewall stops them."});
      break;
    case Reach::kAll:
      add({"all-addresses", Leaning::kNeutral, Level::kNoConcern, "",
           "It takes calls on every address of " + whose +
               ", so whoever reaches one of them reaches it unless a firewall stops them."});
      break;
  }
  if (hold.role == HoldRole::kListener && hold.own_namespace && facts_.own.handed_out) {
    add({"listener-in-ephemeral-range", Leaning::kAgainst, Level::kNoConcern, "",
         "It listens inside the range that the kernel lends: after a restart it may find its port "
         "lent to somebody's outgoing connection."});
    std::string reserved;
    for (const auto range : facts_.own.reserved_ports) reserved += model::to_string(range) + ",";
    if (facts_.own.known) {
      step(
          "If it is a lasting service, reserve its port, so that the kernel does not lend it. The "
          "command lasts until the next start; the same setting in a file of /etc/sysctl.d/ stays.",
          "sudo sysctl net.ipv4.ip_local_reserved_ports=" + reserved + std::to_string(facts_.port));
    }
  }
}

std::string with_subject(const Evidence& evidence) {
  return evidence.about.empty() ? evidence.sentence : evidence.about + ": " + evidence.sentence;
}

Assessment Judge::finish(bool somebody, bool published) {
  Assessment out;
  for (const Level level : {Level::kAct, Level::kCannotTell, Level::kLook, Level::kNoConcern}) {
    for (Evidence& evidence : evidence_) {
      if (evidence.asks == level) out.evidence.push_back(std::move(evidence));
    }
  }
  if (!out.evidence.empty()) out.level = out.evidence.front().asks;
  const bool weaker_signs = std::ranges::any_of(
      out.evidence, [](const Evidence& evidence) { return evidence.leaning == Leaning::kAgainst; });
  switch (out.level) {
    case Level::kNoConcern:
      out.sentence =
          weaker_signs ? "No clear sign against it; weaker ones are listed below."
          : somebody || published
              ? "Nothing that was looked at speaks against it."
              : "A port is neither safe nor unsafe by itself: what counts is the program "
                "behind it, and here is none.";
      break;
    case Level::kLook:
      out.sentence = "Worth a look. " + with_subject(out.evidence.front());
      break;
    case Level::kCannotTell:
      out.sentence = "Cannot tell. " + with_subject(out.evidence.front());
      break;
    case Level::kAct:
      out.sentence = "Look into this today. " + with_subject(out.evidence.front());
      break;
  }
  out.next_steps = std::move(steps_);
  return out;
}

void judge_published(const SafetySubject& subject, Judge& judge) {
  const std::string number = std::to_string(subject.facts.port);
  const bool answered_here = std::ranges::any_of(
      subject.holds, [](const Hold& hold) { return hold.own_namespace && hold.answers(); });
  for (const auto& port : subject.published) {
    if (port.rule.find("DOCKER") != std::string::npos) {
      judge.step("Docker wrote the rule; see which container it is for.",
                 "docker ps --filter publish=" + number);
    } else {
      judge.step("See the rule.", "sudo nft list ruleset");
    }
    std::string sentence = "The packet filter sends its callers on";
    if (!port.target.is_any()) sentence += " to " + model::to_string(port.target.unmapped());
    sentence += " (rule in " + name_in_words(port.rule) + ")";
    if (answered_here) {
      judge.add({"published", Leaning::kNeutral, Level::kNoConcern, "",
                 sentence + ", so they may get another program than the one that listens here."});
    } else if (!subject.behind_published.empty()) {
      judge.add({"published", Leaning::kNeutral, Level::kNoConcern, "",
                 sentence + "; the listeners named here are those of this machine that can be "
                            "meant."});
    } else if (!port.outgoing_only) {
      judge.add({"published-unseen", Leaning::kMissing, Level::kCannotTell, "",
                 sentence + ", and what answers there cannot be seen from here."});
    }
  }
}

void judge_holds(std::span<const Hold> holds, const SafetySubject& subject,
                 const SafetyContext& context, Judge& judge) {
  const bool somebody_answers = std::ranges::any_of(holds, &Hold::answers);
  for (const Hold& hold : holds) {
    judge.judge_holding(hold);
    for (const Program& program : hold.programs) {
      if (program.process.pid == context.own_pid) continue;
      ProgramFindings findings = weigh_program(hold, program, subject.facts, subject.uses, context);
      for (Evidence& evidence : findings.evidence) {
        // A passing connection beside a listener is of interest only where it asks for something.
        const bool remark = evidence.asks == Level::kNoConcern && !hold.answers();
        if (!remark || !somebody_answers) judge.add(std::move(evidence));
      }
      for (NextStep& step : findings.next_steps) {
        judge.step(std::move(step.sentence), std::move(step.command));
      }
    }
    judge.judge_traffic(hold);
    judge.judge_place(hold);
  }
}

}  // namespace

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kNoConcern:
      return "no-concern";
    case Level::kLook:
      return "look";
    case Level::kCannotTell:
      return "cannot-tell";
    case Level::kAct:
      return "act";
  }
  return "unknown";
}

std::string_view leaning_name(Leaning leaning) {
  switch (leaning) {
    case Leaning::kFor:
      return "for";
    case Leaning::kAgainst:
      return "against";
    case Leaning::kNeutral:
      return "neutral";
    case Leaning::kMissing:
      return "missing";
  }
  return "unknown";
}

Assessment assess(const SafetySubject& subject, const SafetyContext& context) {
  Judge judge(subject.facts, context);
  judge_holds(subject.holds, subject, context, judge);
  judge_holds(subject.behind_published, subject, context, judge);
  judge_published(subject, judge);
  const bool somebody = std::ranges::any_of(subject.holds, [](const Hold& hold) {
    return hold.role != HoldRole::kRemote &&
           (!hold.programs.empty() || hold.holding == Holding::kKernel);
  });
  return judge.finish(somebody, !subject.published.empty());
}

}  // namespace ports
