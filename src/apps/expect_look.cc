#include "apps/expect_look.h"

#include <algorithm>
#include <utility>

#include "apps/inventory_json.h"
#include "apps/look.h"

namespace apps {

base::Result<ExpectLook> look_by_expectations(std::optional<model::CollectorKind> collector,
                                              Context& context) {
  auto expectations = load_expectations(context.config_directory);
  if (!expectations) return std::unexpected(expectations.error());
  if (!expectations->loaded()) {
    return base::fail(base::ErrorKind::kNotFound,
                      "there are no expectations in " + context.config_directory +
                          "; `twinport expect learn` writes them from what is open now");
  }
  ExpectLook out;
  out.expectations = std::make_unique<const LoadedExpectations>(std::move(*expectations));
  out.judge = std::make_unique<const ports::Judge>(out.expectations->all, true);
  LookRequest request;
  request.inventory.all_namespaces = std::ranges::any_of(
      out.expectations->all, [](const auto& one) { return !one.netns.empty(); });
  request.inventory.listeners_only = !out.judge->judges_outgoing();
  request.packages = out.judge->needs_packages();
  request.collector = collector;
  auto inventory = look(request, context);
  if (!inventory) return std::unexpected(inventory.error());
  out.inventory = std::move(*inventory);
  out.verdicts = judge_inventory(*out.judge, out.inventory, context.machine().has_package_lists());
  return out;
}

std::string place_in_words(const model::Expectation& expectation) {
  std::string out = expectation.file + ", line " + std::to_string(expectation.line);
  if (!expectation.owner.empty()) out += "; " + expectation.owner + " answers for it";
  return out;
}

std::string verdict_in_words(const model::Verdict& verdict) {
  if (verdict.reason == "no expectations are loaded") {
    return "No expectations are loaded, so nothing says whether it should be open here.";
  }
  std::string out = verdict.reason;
  // A reason begins with our own words, or with a name or number that must stay as it is.
  for (const std::string_view ours : {"no expectation", "nothing ", "it ", "the packet filter"}) {
    if (out.starts_with(ours)) out[0] = static_cast<char>(out[0] - 'a' + 'A');
  }
  return out + '.';
}

Tone verdict_tone(model::VerdictKind kind) {
  switch (kind) {
    case model::VerdictKind::kExpected:
    case model::VerdictKind::kTransient:
      return Tone::kGood;
    case model::VerdictKind::kUnjudged:
      return Tone::kFaint;
    case model::VerdictKind::kUnexpected:
    case model::VerdictKind::kImpostor:
    case model::VerdictKind::kWider:
      return Tone::kBad;
    case model::VerdictKind::kMissing:
    case model::VerdictKind::kUnknown:
      return Tone::kWarning;
  }
  return Tone::kPlain;
}

}  // namespace apps
