#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/cmd_expect.h"
#include "apps/expect_json.h"
#include "apps/expectations.h"
#include "apps/holder_names.h"
#include "apps/layout.h"
#include "apps/look.h"
#include "base/file.h"
#include "base/text.h"
#include "format/expectation_toml.h"
#include "ports/learn.h"
#include "ports/time_query.h"
#include "ports/timeline_walk.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::Expectation;
using ports::LearnedExpectation;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kUsualUs = int64_t{7} * 24 * 3600 * kSecondUs;

/// What was learned, and from what.
struct Lesson {
  ports::Learned learned;
  model::TimeWindow window;  ///< of the timeline; both 0 = none was read
  bool timeline_asked = false;
  std::string no_timeline;  ///< why none was read
  int64_t now_us = 0;
};

/// What the file says now, and how that differs.
struct Difference {
  bool exists = false;
  std::vector<Expectation> gone;
  size_t same = 0;
  std::vector<bool> is_new;  ///< of each learned
  [[nodiscard]] bool any() const {
    return !gone.empty() || std::ranges::find(is_new, true) != is_new.end();
  }
};

/// Since when to read the timeline; nothing: it was not said.
base::Result<std::optional<int64_t>> parse_since(const std::string& text, int64_t now_us) {
  if (text.empty()) return std::optional<int64_t>{};
  const auto windows = ports::parse_time(text, now_us);
  if (!windows) return std::unexpected(windows.error());
  return std::optional<int64_t>(windows->front().from_us);
}

base::Result<void> learn_from_timeline(ports::TimelineReader& timeline, model::TimeWindow window,
                                       const model::Inventory& inventory, Context& context,
                                       ports::Learner& learner) {
  HolderNames names(context.machine());
  const ports::NamespaceNumbers namespaces(inventory.namespaces);
  const auto walked = ports::walk_timeline(timeline, window, [&](const ports::TimelineRow& row) {
    // What came in was judged by its listener, and what came to nothing holds nothing; but who
    // tries to talk to a service that is down will try again.
    const bool tried = row.socket.role == model::SocketRole::kConnectFailed;
    if (row.socket.role == model::SocketRole::kIncoming) return;
    // Who only opened it for another is not expected to hold it.
    const bool opened_for_another = row.socket.owner_reason == model::kHandedOn &&
                                    row.socket.role != model::SocketRole::kOutgoing;
    if (opened_for_another) return;
    if (is_moment(row.socket.role) && !tried) return;
    std::vector<const model::RecordedProcess*> holders;
    if (row.owner) holders.push_back(&*row.owner);
    for (const auto& other : row.also_held_by) holders.push_back(&other);
    ports::Subject subject = ports::subject_of(tried ? ports::as_talk(row.socket) : row.socket,
                                               holders, namespaces.of(row.socket.netns));
    names.complete(subject);
    learner.add_life(subject, row.socket.opened_us, row.socket.closed_us);
  });
  if (!walked) return std::unexpected(walked.error());
  return {};
}

base::Result<Lesson> learn(const ExpectLearnOptions& options, Context& context) {
  Lesson out;
  out.now_us = context.machine().clocks().wall_us;
  const auto since = parse_since(options.since, out.now_us);
  if (!since) return std::unexpected(since.error());

  LookRequest request;
  request.inventory.all_namespaces = options.all_namespaces;
  request.inventory.listeners_only = true;
  request.packages = true;  // they tell usual holders
  request.collector = options.collector;
  const auto inventory = look(request, context);
  if (!inventory) return std::unexpected(inventory.error());

  auto timeline = context.machine().open_timeline(context.state_directory);
  if (!timeline) {
    if (timeline.error().kind != base::ErrorKind::kNotFound || *since) {
      return std::unexpected(timeline.error());
    }
    out.no_timeline = timeline.error().message;
  } else {
    const auto status = (*timeline)->status();
    if (!status) return std::unexpected(status.error());
    out.window.until_us = std::max(status->recorded_until_us, status->oldest_us);
    out.window.from_us =
        std::max(status->oldest_us, since->value_or(out.window.until_us - kUsualUs));
  }
  const model::NetNamespace* own = inventory->find_namespace(own_namespace(*inventory));
  ports::Learner learner({.policy = own == nullptr ? model::PortPolicy{} : own->policy,
                          .window = out.window,
                          .outgoing = !options.open_only,
                          .other_namespaces = options.all_namespaces},
                         ports::KnownUses::built_in());
  const ports::InventorySubjects subjects(*inventory);
  for (const model::Socket& socket : inventory->sockets) {
    const ports::Subject subject = subjects.of(socket);
    // Who talks to others is learned from a stretch of time: the talk of one moment is no base.
    if (subject.role == ports::SubjectRole::kOpen) learner.add_open(subject);
  }
  for (const model::PublishedPort& published : inventory->published) {
    learner.add_published(published, inventory->find_namespace(published.netns));
  }
  if (timeline) {
    auto learned = learn_from_timeline(**timeline, out.window, *inventory, context, learner);
    if (!learned) return std::unexpected(learned.error());
  }
  out.learned = learner.finish();
  return out;
}

/// Whether both allow the same, whoever answers for it and however often it is there.
bool allow_the_same(const Expectation& left, Expectation right) {
  right.why = left.why;
  right.owner = left.owner;
  right.presence = left.presence;
  return same_meaning(left, right);
}

/// What a person wrote down of an expectation is theirs: it is kept when the rest is the same.
Difference compare(ports::Learned& learned, const LoadedExpectations& loaded,
                   const std::string& file) {
  Difference out;
  out.exists = std::ranges::find(loaded.files, file) != loaded.files.end();
  // What other files say already need not be said again.
  std::erase_if(learned.expectations, [&](const LearnedExpectation& one) {
    return std::ranges::any_of(loaded.all, [&](const Expectation& other) {
      return other.file != file && allow_the_same(one.expectation, other);
    });
  });
  std::vector<bool> kept(loaded.all.size());
  for (LearnedExpectation& one : learned.expectations) {
    const auto old = std::ranges::find_if(loaded.all, [&](const Expectation& other) {
      return other.file == file && allow_the_same(one.expectation, other);
    });
    out.is_new.push_back(old == loaded.all.end());
    if (old == loaded.all.end()) continue;
    ++out.same;
    kept[static_cast<size_t>(old - loaded.all.begin())] = true;
    one.expectation.presence = old->presence;
    one.expectation.owner = old->owner;
    if (!old->why.empty()) one.expectation.why = old->why;
  }
  for (size_t i = 0; i < loaded.all.size(); ++i) {
    if (loaded.all[i].file == file && !kept[i]) out.gone.push_back(loaded.all[i]);
  }
  return out;
}

std::string block_of(const LearnedExpectation& one) {
  std::string out;
  for (const std::string& remark : one.remarks) out += "# " + remark + "\n";
  return out + format::write_expectation(one.expectation);
}

std::string file_text(const Lesson& lesson) {
  std::string from = "what is open now";
  if (lesson.window.until_us != 0) {
    from += " and the timeline from " + ports::rfc3339(lesson.window.from_us).substr(0, 19) +
            "Z to " + ports::rfc3339(lesson.window.until_us).substr(0, 19) + "Z";
  }
  std::string out =
      "# What should be open on this machine, by `twinport expect learn` from\n# " + from +
      ".\n"
      "#\n"
      "# All of it counts as expected from now on, so go over it: take out what should not be,\n"
      "# and say why the rest is there (why) and who answers for it (owner).\n"
      "# `twinport expect check` holds the machine against it.\n";
  for (const LearnedExpectation& one : lesson.learned.expectations) out += "\n" + block_of(one);
  return out;
}

/// Each line behind a sign, as diff does.
std::string marked(std::string_view block, std::string_view sign) {
  std::string out;
  while (!block.empty()) {
    out += sign;
    out += base::escape_for_terminal(base::take_until(block, '\n'));
    out += '\n';
  }
  return out;
}

void print_difference(const Lesson& lesson, const Difference& difference, Context& context) {
  for (const Expectation& gone : difference.gone) {
    context.out << marked(format::write_expectation(gone), "- ") << "\n";
  }
  for (size_t i = 0; i < difference.is_new.size(); ++i) {
    if (!difference.is_new[i]) continue;
    context.out << marked(block_of(lesson.learned.expectations[i]), "+ ") << "\n";
  }
}

void print_notes(const Lesson& lesson, Context& context) {
  if (!lesson.no_timeline.empty()) {
    context.warn("learned only from what is open now, and nothing about who talks to others: " +
                 lesson.no_timeline);
  }
  for (const std::string& sentence : lesson.learned.left_out) context.warn(sentence);
}

void print_json(const Lesson& lesson, const Difference& difference, const std::string& file,
                bool written, bool attention, Context& context) {
  base::JsonWriter json = context.begin_json("expect learn");
  json.field("needs_attention", attention).field("file", file).field("written", written);
  json.field("existed", difference.exists).field("differs", difference.any());
  json.key("timeline");
  if (lesson.window.until_us == 0) {
    json.null();
  } else {
    json.begin_object().field("from", ports::rfc3339(lesson.window.from_us));
    json.field("until", ports::rfc3339(lesson.window.until_us)).end_object();
  }
  json.newline().key("learned").begin_array();
  for (size_t i = 0; i < lesson.learned.expectations.size(); ++i) {
    const LearnedExpectation& one = lesson.learned.expectations[i];
    json.newline().begin_object();
    write_expectation_fields(json, one.expectation);
    json.field("new", bool{difference.is_new[i]}).key("remarks").begin_array();
    for (const std::string& remark : one.remarks) json.string(remark);
    json.end_array().end_object();
  }
  json.end_array().newline().key("no_longer").begin_array();
  for (const Expectation& gone : difference.gone) {
    json.newline().begin_object();
    write_expectation_fields(json, gone);
    json.end_object();
  }
  json.end_array().newline().key("left_out").begin_array();
  for (const std::string& sentence : lesson.learned.left_out) json.string(sentence);
  json.end_array();
  Context::end_json(json);
}

base::Result<void> write_file(const std::string& file, const std::string& text) {
  if (const size_t slash = file.rfind('/'); slash != std::string::npos && slash > 0) {
    if (auto made = base::make_directories(file.substr(0, slash)); !made) return made;
  }
  return base::replace_file(file, text);
}

}  // namespace

int run_expect_learn(const ExpectLearnOptions& options, Context& context) {
  const bool to_output = options.output == "-";
  const std::string file = options.output.empty() || to_output
                               ? expectations_file(context.config_directory)
                               : options.output;
  auto loaded = load_expectations(context.config_directory);
  if (loaded && file != expectations_file(context.config_directory)) {
    if (auto other = load_expectations_file(file); other) {
      std::ranges::move(other->all, std::back_inserter(loaded->all));
      std::ranges::move(other->files, std::back_inserter(loaded->files));
    } else if (other.error().kind != base::ErrorKind::kNotFound) {
      loaded = std::unexpected(other.error());
    }
  }
  if (!loaded) return context.fail(loaded.error());
  auto lesson = learn(options, context);
  if (!lesson) return context.fail(lesson.error());
  const Difference difference = compare(lesson->learned, *loaded, file);
  const std::string text = file_text(*lesson);
  // What cannot be read back would stop `check`; then it is our fault, and nothing is written.
  if (const auto again = format::parse_expectations(text); !again) {
    return context.fail({base::ErrorKind::kCorrupt,
                         "what was learned cannot be read back (" + again.error().message +
                             "); nothing was written. Please report this"});
  }
  const bool in_the_way = !to_output && difference.exists && difference.any() && !options.force;
  const bool write = !to_output && !in_the_way && (difference.any() || !difference.exists);
  if (write) {
    if (auto written = write_file(file, text); !written) return context.fail(written.error());
  }
  const bool attention = in_the_way || !lesson->learned.left_out.empty();
  if (context.json) {
    print_json(*lesson, difference, to_output ? "-" : file, write, attention, context);
    return attention ? kAttention : kDone;
  }
  if (to_output) {
    context.out << text;
  } else if (in_the_way) {
    print_difference(*lesson, difference, context);
    context.warn(file + " is there already and was left as it is; what was learned differs by " +
                 "the lines above. --force replaces it and keeps what it says of why and owner");
  } else if (write) {
    const size_t count = lesson->learned.expectations.size();
    context.out << wrap_text("Wrote " + ports::counted(count, "expectation") + " to " +
                                 base::escape_for_terminal(file) +
                                 ". Go over them: all of it counts as expected from now on.",
                             context.text_width());
  } else {
    context.out << wrap_text(base::escape_for_terminal(file) + " says the same already.",
                             context.text_width());
  }
  print_notes(*lesson, context);
  return attention ? kAttention : kDone;
}

}  // namespace apps
