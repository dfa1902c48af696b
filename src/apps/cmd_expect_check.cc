#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "apps/cmd_expect.h"
#include "apps/expect_json.h"
#include "apps/expect_look.h"
#include "apps/inventory_json.h"
#include "apps/page.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::Verdict;
using model::VerdictKind;

/// In the order in which they are told.
constexpr auto kFindings =
    std::to_array<VerdictKind>({VerdictKind::kImpostor, VerdictKind::kUnexpected,
                                VerdictKind::kWider, VerdictKind::kMissing, VerdictKind::kUnknown});

/// What a person should look at: sockets of one reason are one finding.
struct Finding {
  Verdict verdict;
  model::Protocol protocol = model::Protocol::kTcp;
  uint16_t port = 0;
  std::vector<const model::Socket*> sockets;  ///< none for what is missing or published
};

class Findings {
 public:
  void add(const Verdict& verdict, model::Protocol protocol, uint16_t port,
           const model::Socket* socket) {
    ++counts_[verdict.kind];
    if (!verdict.is_finding()) return;
    Finding& finding = by_reason_[{verdict.kind, port, verdict.reason}];
    finding.verdict = verdict;
    finding.protocol = protocol;
    finding.port = port;
    if (socket != nullptr) finding.sockets.push_back(socket);
  }

  [[nodiscard]] std::vector<const Finding*> of(VerdictKind kind) const {
    std::vector<const Finding*> out;
    for (const auto& [key, finding] : by_reason_) {
      if (finding.verdict.kind == kind) out.push_back(&finding);
    }
    return out;
  }
  [[nodiscard]] size_t count(VerdictKind kind) const {
    const auto found = counts_.find(kind);
    return found == counts_.end() ? 0 : found->second;
  }
  [[nodiscard]] size_t size() const { return by_reason_.size(); }

 private:
  std::map<std::tuple<VerdictKind, uint16_t, std::string>, Finding> by_reason_;
  std::map<VerdictKind, size_t> counts_;  // of sockets, published and missing ports
};

Findings gather(const ExpectLook& look) {
  Findings out;
  for (size_t i = 0; i < look.inventory.sockets.size(); ++i) {
    const model::Socket& socket = look.inventory.sockets[i];
    out.add(look.verdicts.sockets[i], socket.protocol, socket.local.port, &socket);
  }
  for (size_t i = 0; i < look.inventory.published.size(); ++i) {
    const model::PublishedPort& published = look.inventory.published[i];
    out.add(look.verdicts.published[i], published.protocol, published.ports.first, nullptr);
  }
  for (const ports::MissingPort& missing : look.verdicts.missing) {
    out.add(missing.verdict, missing.protocol, missing.port, nullptr);
  }
  return out;
}

const model::Expectation* expectation_of(const ExpectLook& look, const Verdict& verdict) {
  return verdict.expectation ? &look.expectations->all[*verdict.expectation] : nullptr;
}

std::string lead_of(const Findings& findings) {
  std::vector<std::string> kinds;
  for (const VerdictKind kind : kFindings) {
    const size_t count = findings.of(kind).size();
    if (count > 0) kinds.push_back(ports::grouped(count) + " " + std::string(verdict_name(kind)));
  }
  const std::string expected =
      ports::counted(findings.count(VerdictKind::kExpected), "socket is", "sockets are") +
      " as expected";
  if (kinds.empty()) return "Nothing was found: " + expected + ".";
  return ports::counted(findings.size(), "finding") + ": " + ports::listed(kinds) + ". " +
         std::string(1, static_cast<char>(expected[0])) + expected.substr(1) + ".";
}

std::string title_of(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kImpostor:
      return "Impostors: the port is expected, its holder is not";
    case VerdictKind::kUnexpected:
      return "Unexpected";
    case VerdictKind::kWider:
      return "Wider: open to more than expected";
    case VerdictKind::kMissing:
      return "Missing";
    default:
      return "Unknown: not enough could be seen";
  }
}

/// The addresses of the finding's sockets, each once, in order.
std::vector<std::string> addresses_of(const Finding& finding) {
  std::vector<std::string> out;
  for (const model::Socket* socket : finding.sockets) {
    std::string text = to_string(socket->local);
    if (socket->remote.port != 0) text += " to " + to_string(socket->remote);
    if (std::ranges::find(out, text) == out.end()) out.push_back(std::move(text));
  }
  return out;
}

std::vector<const model::Process*> holders_of(const Finding& finding,
                                              const model::Inventory& inventory) {
  std::vector<const model::Process*> out;
  for (const model::Socket* socket : finding.sockets) {
    for (const model::Owner& owner : inventory.owners_of(*socket)) {
      const model::Process* process = &inventory.processes[owner.process];
      if (std::ranges::find(out, process) == out.end()) out.push_back(process);
    }
  }
  return out;
}

std::string holder_in_words(const model::Process& process) {
  std::string out = ports::process_in_words(process);
  if (!process.exe.empty()) out += " runs " + ports::name_in_words(process.exe);
  if (!process.user.empty()) out += " as " + ports::name_in_words(process.user);
  const std::string& unit =
      process.placement.user_unit.empty() ? process.placement.unit : process.placement.user_unit;
  if (!unit.empty()) out += " in " + ports::name_in_words(unit);
  if (!process.placement.container.empty()) {
    out += ", container " + ports::name_in_words(process.placement.container);
  }
  return out;
}

PageSection section_of(VerdictKind kind, const Findings& findings, const ExpectLook& look) {
  constexpr size_t kHoldersShown = 4;
  PageSection section;
  section.title = title_of(kind);
  for (const Finding* finding : findings.of(kind)) {
    section.point(verdict_in_words(finding->verdict), verdict_tone(kind));
    const auto holders = holders_of(*finding, look.inventory);
    for (size_t i = 0; i < std::min(holders.size(), kHoldersShown); ++i) {
      section.detail("held by", holder_in_words(*holders[i]));
    }
    const auto addresses = addresses_of(*finding);
    if (!addresses.empty()) section.detail("at", ports::listed_briefly(addresses, 3));
    if (const auto* expectation = expectation_of(look, finding->verdict)) {
      section.detail("rule", place_in_words(*expectation));
    }
  }
  return section;
}

void print_page(const Findings& findings, const ExpectLook& look, Context& context) {
  Page page;
  page.lead.push_back({PageItemKind::kParagraph, "", lead_of(findings), Tone::kStrong});
  for (const VerdictKind kind : kFindings)
    page.sections.push_back(section_of(kind, findings, look));
  if (!look.inventory.report.complete) {
    PageSection section;
    section.title = "What could not be seen";
    for (const std::string& spot : look.inventory.report.blind_spots) section.point(spot);
    if (!context.machine().caller_is_root()) section.point("Run as root to see more.");
    page.sections.push_back(std::move(section));
  }
  context.out << page_as_text(page, context.style, context.text_width());
}

void print_json(const Findings& findings, const ExpectLook& look, bool attention,
                Context& context) {
  base::JsonWriter json = context.begin_json("expect check");
  json.field("needs_attention", attention).newline();
  json.key("files").begin_array();
  for (const std::string& file : look.expectations->files) json.string(file);
  json.end_array().field("expectations", uint64_t{look.expectations->all.size()}).newline();
  write_collector(json, look.inventory.report);
  json.newline().key("counts").begin_object();
  for (const VerdictKind kind :
       {VerdictKind::kExpected, VerdictKind::kTransient, VerdictKind::kUnjudged,
        VerdictKind::kUnexpected, VerdictKind::kImpostor, VerdictKind::kWider,
        VerdictKind::kMissing, VerdictKind::kUnknown}) {
    json.field(verdict_name(kind), uint64_t{findings.count(kind)});
  }
  json.end_object().newline().key("findings").begin_array();
  for (const VerdictKind kind : kFindings) {
    for (const Finding* finding : findings.of(kind)) {
      json.newline().begin_object();
      json.field("verdict", verdict_name(kind)).field("reason", finding->verdict.reason);
      json.field("protocol", protocol_name(finding->protocol)).field("port", finding->port);
      write_expectation_place(json, "expectation", expectation_of(look, finding->verdict));
      json.key("holders").begin_array();
      for (const model::Process* process : holders_of(*finding, look.inventory)) {
        write_process(json, *process);
      }
      json.end_array().key("sockets").begin_array();
      for (const model::Socket* socket : finding->sockets) {
        write_socket(json, look.inventory, *socket);
      }
      json.end_array().end_object();
    }
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_expect_check(const ExpectCheckOptions& options, Context& context) {
  const auto look = look_by_expectations(options.collector, context);
  if (!look) return context.fail(look.error());
  const Findings findings = gather(*look);
  const bool attention = findings.size() > 0 || !look->inventory.report.complete;
  if (context.json) {
    print_json(findings, *look, attention, context);
  } else {
    print_page(findings, *look, context);
  }
  return attention ? kAttention : kDone;
}

}  // namespace apps
