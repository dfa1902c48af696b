// The past of the ephemeral range for people and for programs: a part of ephemeral_past.h.
#include <algorithm>
#include <cmath>
#include <utility>

#include "apps/ephemeral_past.h"
#include "apps/inventory_json.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

using base::JsonWriter;
using ports::counted;
using ports::DestinationHistory;
using ports::EphemeralHistory;
using ports::grouped;
using ports::Guessing;
using ports::PortBurner;
using ports::PortPattern;
using ports::PortSteps;

constexpr int64_t kFarAway_s = int64_t{30} * 24 * 3600;

/// "0.34" or "12": two digits that mean something.
std::string brief(double number) {
  if (number >= 9.95) return grouped(static_cast<uint64_t>(std::llround(number)));
  const auto hundredths = static_cast<uint64_t>(std::llround(number * 100));
  const std::string rest = std::to_string(100 + hundredths % 100).substr(1);
  return std::to_string(hundredths / 100) + "." + rest;
}

std::string percent(double share) { return brief(share * 100) + " %"; }

double per_second(uint32_t count, const EphemeralHistory& history) {
  return history.window_s() <= 0 ? 0 : count / history.window_s();
}

// What is in use now, by the inventory.
uint32_t now_of(const DestinationHistory& one, const ports::EphemeralUse& own) {
  const auto at = std::ranges::find_if(own.destinations, [&](const ports::DestinationUse& use) {
    return use.local == one.local && use.destination == one.destination;
  });
  return at == own.destinations.end() ? 0 : at->used;
}

std::string forecast_in_words(const ports::Forecast& forecast) {
  switch (forecast.trend) {
    case ports::Trend::kTooShort:
      return "not enough history for a forecast";
    case ports::Trend::kUnclear:
      return "no growth that could be told from chance";
    case ports::Trend::kShrinking:
      return "use is falling by " + brief(-forecast.ports_per_hour) + " ports an hour";
    case ports::Trend::kGrowing:
      break;
  }
  const std::string out =
      "use is growing by " + brief(forecast.ports_per_hour) + " ports an hour; ";
  const int64_t least_s = forecast.full_in_s_least.value_or(0);
  const int64_t most_s = forecast.full_in_s_most.value_or(0);
  if (least_s > kFarAway_s) return out + "at that pace they last for more than a month";
  const std::string least = ports::duration_in_words(least_s);
  const std::string most = ports::duration_in_words(most_s);
  if (most_s > kFarAway_s) return out + "if it goes on, none is left in " + least + " at the least";
  return out + "if it goes on, none is left in " + (least == most ? least : least + " to " + most);
}

PageSection summary_section(const EphemeralPast& past) {
  PageSection section;
  const EphemeralHistory& history = *past.history;
  section.title = "What was recorded " + ports::between_in_words(history.window, 0);
  section.detail("opened", counted(history.connections, "TCP connection") + " (" +
                               brief(per_second(history.connections, history)) + " a second) and " +
                               counted(history.udp_ports, "UDP port") + " on ports of the range");
  if (history.events_lost > 0) {
    section.detail(
        "lost", counted(history.events_lost, "event") + "; the counts may be too low by as many");
  }
  if (history.not_recorded_s > 0) {
    section.detail("missing",
                   ports::duration_in_words(history.not_recorded_s) + " were not recorded");
  }
  if (past.cut_short) {
    section.detail("cut", "there was so much that older rows were not looked at");
  }
  if (!past.sees_all) section.detail("seen", "your own sockets only; root sees all");
  if (past.range_changed) {
    section.detail("range", "it was changed in that time; all is held against the one of now");
  }
  return section;
}

PageSection use_section(const EphemeralHistory& history, const ports::EphemeralUse& own,
                        size_t top) {
  PageSection section;
  section.title = "Fullest destinations of that time (TCP)";
  const size_t shown = std::min(top, history.destinations.size());
  for (size_t i = 0; i < shown; ++i) {
    const DestinationHistory& one = history.destinations[i];
    section.point(
        model::to_string(one.destination) + " from " + model::to_string(one.local) + ": at most " +
            grouped(one.peak) + " of " + grouped(history.size) + " ports at once (" +
            percent(history.size == 0 ? 0 : static_cast<double>(one.peak) / history.size) + "), " +
            grouped(one.peak_open) + " of them open, at " + ports::local_time_text(one.peak_us, 0) +
            "; now " + grouped(now_of(one, own)) + "; " + counted(one.connections, "connection") +
            "; " + forecast_in_words(one.forecast),
        one.full_soon() ? Tone::kBad : Tone::kPlain);
  }
  if (history.destinations_total > shown) {
    section.point("And " + counted(history.destinations_total - shown, "more destination") + ".");
  }
  if (shown > 0) {
    section.paragraph(
        "A closed connection counts for another " + std::to_string(ports::kPortRestUs / 1'000'000) +
        " seconds, as if this side had closed first, which the timeline does not tell. The "
        "forecast is the middle of all slopes between 60 parts of that time, with "
        "its 95 % interval.");
  }
  return section;
}

PageSection burners_section(const EphemeralHistory& history, size_t top) {
  PageSection section;
  section.title = "Who used ports up in that time (TCP and UDP)";
  const uint32_t all = history.connections + history.udp_ports;
  const size_t shown = std::min(top, history.burners.size());
  for (size_t i = 0; i < shown; ++i) {
    const PortBurner& one = history.burners[i];
    std::string text = one.program.empty() ? "programs that could not be named"
                                           : ports::name_in_words(one.program);
    if (!one.user.empty()) text += ", user " + ports::name_in_words(one.user);
    text += ": " + counted(one.ports, "port") + " (" +
            percent(all == 0 ? 0 : static_cast<double>(one.ports) / all) + "), " +
            brief(per_second(one.ports, history)) + " a second";
    if (one.short_lived > 0) {
      text += "; " + grouped(one.short_lived) + " of them for less than a second";
    }
    section.point(std::move(text));
  }
  if (history.burners.size() > shown) {
    section.point("And " + counted(history.burners.size() - shown, "more program") + ".");
  }
  return section;
}

std::string steps_in_words(const PortSteps& steps) {
  return percent(steps.share()) + " of " + counted(steps.pairs, "connection") +
         " took one of the " + std::to_string(ports::kGuessSteps) +
         " ports above that of the one before (by chance: " + percent(steps.chance) + ")";
}

std::string pattern_in_words(PortPattern pattern) {
  switch (pattern) {
    case PortPattern::kTooFew:
      return "TCP: not enough history to tell; it takes " + std::to_string(ports::kGuessPairs) +
             " connections that follow another to the same destination.";
    case PortPattern::kRandom:
      return "TCP: no better than chance, as simple randomisation (algorithms 1 and 2) has it.";
    case PortPattern::kLeaning:
      return "TCP: better than chance, though not often: random steps (algorithm 5), or several "
             "ways mixed.";
    case PortPattern::kPerDestination:
      return "TCP: each destination has a counter of its own (algorithms 3 and 4, as Linux's "
             "connect() does): who sees one of our ports toward a destination can guess the next "
             "toward the same; others cannot.";
    case PortPattern::kOneCounter:
      return "TCP: one counter serves all destinations, which RFC 6056 warns of: whoever sees one "
             "of our ports can guess those toward anybody.";
  }
  return {};
}

std::string udp_in_words(Guessing guessing) {
  switch (guessing) {
    case Guessing::kTooFew:
      return "UDP: not enough history to tell.";
    case Guessing::kRandom:
      return "UDP: no better than chance.";
    case Guessing::kLeaning:
      return "UDP: better than chance, though not often.";
    case Guessing::kEasy:
      return "UDP: the next port follows closely on the one before: answers to this host's "
             "questions, such as DNS, are easily forged.";
  }
  return {};
}

PageSection guessing_section(const ports::PortGuessing& guessing) {
  PageSection section;
  section.title = "Can the next source port be guessed? (RFC 6056)";
  const PortPattern pattern = guessing.pattern();
  section.point(pattern_in_words(pattern),
                pattern == PortPattern::kOneCounter ? Tone::kWarning : Tone::kPlain);
  if (guessing.same_destination.pairs > 0) {
    section.detail("same", steps_in_words(guessing.same_destination));
  }
  if (guessing.other_destination.pairs > 0) {
    section.detail("another", steps_in_words(guessing.other_destination));
  }
  if (guessing.one_parity()) {
    const uint32_t most = std::max(guessing.even, guessing.odd);
    section.detail(
        "half", grouped(most) + " of " + grouped(guessing.even + guessing.odd) + " ports are an " +
                    (guessing.even >= guessing.odd ? "even" : "odd") +
                    " number above the first of the range: Linux lets connect() take the even "
                    "ones first and bind() the odd ones, so only half need be guessed");
  }
  const Guessing udp = guessing.udp.guessing();
  section.point(udp_in_words(udp), udp == Guessing::kEasy ? Tone::kWarning : Tone::kPlain);
  if (guessing.udp.pairs > 0) section.detail("next", steps_in_words(guessing.udp));
  section.paragraph(
      "Counted is every port of the range that was opened, also one that a program asked for by "
      "its number: a fixed port makes guessing look harder, a resolver that draws its own ports "
      "shows how well it draws. Only small steps are looked for: \"no better than chance\" is no "
      "proof that nobody can guess.");
  return section;
}

void write_steps(JsonWriter& json, std::string_view name, const PortSteps& steps) {
  json.key(name).begin_object().field("pairs", steps.pairs).field("close", steps.close);
  json.key("chance").decimal(steps.chance, 6);
  json.field("guessing", ports::guessing_name(steps.guessing())).end_object();
}

void write_seconds(JsonWriter& json, std::string_view name, const std::optional<int64_t>& value) {
  json.key(name);
  value ? json.number(*value) : json.null();
}

void write_destination(JsonWriter& json, const DestinationHistory& one,
                       const ports::EphemeralUse& own) {
  json.newline().begin_object().field("local_address", model::to_string(one.local));
  write_endpoint(json, "destination", one.destination);
  json.field("connections", one.connections).field("peak", one.peak);
  json.field("peak_open", one.peak_open).field("peak_at", ports::rfc3339(one.peak_us));
  json.field("now", now_of(one, own)).key("use").begin_array();
  for (const uint32_t use : one.use) json.number_unsigned(use);
  json.end_array().key("forecast").begin_object();
  json.field("trend", ports::trend_name(one.forecast.trend));
  json.key("ports_per_hour").decimal(one.forecast.ports_per_hour, 3);
  write_seconds(json, "full_in_s_least", one.forecast.full_in_s_least);
  write_seconds(json, "full_in_s_most", one.forecast.full_in_s_most);
  json.end_object();
  write_steps(json, "steps", one.steps);
  json.end_object();
}

}  // namespace

void add_ephemeral_past(Page& page, const EphemeralPast& past, const ports::EphemeralUse& own,
                        size_t top) {
  if (!past.history) {
    PageSection none;
    none.title = "What was recorded";
    none.paragraph(past.why_none);
    page.sections.push_back(std::move(none));
    return;
  }
  const EphemeralHistory& history = *past.history;
  const auto soon = std::ranges::find_if(history.destinations, &DestinationHistory::full_soon);
  if (soon != history.destinations.end()) {
    page.lead.push_back({PageItemKind::kParagraph, "",
                         "Toward " + model::to_string(soon->destination) + " " +
                             forecast_in_words(soon->forecast) + ".",
                         Tone::kBad});
  }
  page.sections.push_back(summary_section(past));
  page.sections.push_back(use_section(history, own, top));
  page.sections.push_back(burners_section(history, top));
  page.sections.push_back(guessing_section(history.guessing));
}

void write_ephemeral_past(JsonWriter& json, const EphemeralPast& past,
                          const ports::EphemeralUse& own, size_t top) {
  write_text(json, "history_missing", past.why_none);
  json.key("history");
  if (!past.history) {
    json.null();
    return;
  }
  const EphemeralHistory& history = *past.history;
  json.begin_object().field("since", ports::rfc3339(history.window.from_us));
  json.field("until", ports::rfc3339(history.window.until_us)).field("cut_short", past.cut_short);
  json.field("sees_all", past.sees_all).field("events_lost", history.events_lost);
  json.field("not_recorded_s", history.not_recorded_s);
  write_port_range(json, "range", history.range);
  json.field("size", history.size).field("range_changed", past.range_changed);
  json.field("tcp_connections", history.connections).field("udp_ports", history.udp_ports);
  json.field("destinations_total", static_cast<uint64_t>(history.destinations_total));
  json.key("destinations").begin_array();
  for (size_t i = 0; i < std::min(top, history.destinations.size()); ++i) {
    write_destination(json, history.destinations[i], own);
  }
  json.end_array().newline();
  json.field("burners_total", static_cast<uint64_t>(history.burners.size()));
  json.key("burners").begin_array();
  for (size_t i = 0; i < std::min(top, history.burners.size()); ++i) {
    const PortBurner& one = history.burners[i];
    json.begin_object();
    write_text(json, "program", one.program);
    write_text(json, "user", one.user);
    json.field("ports", one.ports).field("short_lived", one.short_lived);
    json.key("per_second").decimal(per_second(one.ports, history), 3).end_object();
  }
  json.end_array().newline().key("guessing").begin_object();
  json.field("pattern", ports::port_pattern_name(history.guessing.pattern()));
  write_steps(json, "same_destination", history.guessing.same_destination);
  write_steps(json, "other_destination", history.guessing.other_destination);
  write_steps(json, "udp", history.guessing.udp);
  json.field("even", history.guessing.even).field("odd", history.guessing.odd);
  json.field("one_parity", history.guessing.one_parity()).end_object().end_object();
}

}  // namespace apps
