// twinport forget: which snapshots may go, why, and taking them away. The room they took is freed
// by `twinport repo gc`.
#include <algorithm>
#include <ctime>
#include <map>

#include "apps/cmd_repository.h"
#include "apps/layout.h"
#include "backup/tree_reader.h"
#include "base/text.h"
#include "base/units.h"
#include "ports/time_query.h"
#include "repo/holds.h"
#include "repo/retention.h"

namespace apps {
namespace {

constexpr int64_t kMicroseconds = 1'000'000;

int64_t utc_offset_s(int64_t time_s) {
  const time_t time = time_s;
  tm local{};
  return localtime_r(&time, &local) == nullptr ? 0 : local.tm_gmtoff;
}

struct Plan {
  std::vector<repo::SnapshotObject> snapshots;
  std::vector<repo::RetentionDecision> decisions;
  std::vector<std::string> damaged;
  std::map<std::array<uint8_t, 16>, std::vector<std::string>> paths;  ///< of each source
};

/// What a person calls a source: host and paths.
std::string source_in_words(const Plan& plan, const model::Snapshot& snapshot) {
  std::string out = base::escape_for_terminal(snapshot.host) + ":";
  const auto paths = plan.paths.find(snapshot.source);
  if (paths == plan.paths.end() || paths->second.empty()) return out + " (paths unreadable)";
  for (const std::string& path : paths->second) out += " " + base::escape_for_terminal(path);
  return out;
}

base::Result<void> read_policy(const ForgetOptions& options, repo::RetentionPolicy& policy) {
  policy = options.policy;
  if (options.within.empty()) return {};
  const auto within = base::parse_duration_ms(options.within);
  if (!within || *within < 1000) {
    return base::fail(base::ErrorKind::kUsage, "--keep-within " +
                                                   base::escape_for_terminal(options.within) +
                                                   " is no length of time; write 12h, 30d or 8w");
  }
  policy.within_s = *within / 1000;
  return {};
}

base::Result<Plan> make_plan(const ForgetOptions& options, const repo::Repository& repository,
                             Context& context) {
  repo::RetentionRequest request{.policy = {},
                                 .named = {},
                                 .now_s = context.machine().now_unix_s(),
                                 .utc_offset_s = utc_offset_s,
                                 .force = options.force,
                                 .trust_clock = options.trust_clock};
  if (auto read = read_policy(options, request.policy); !read) return std::unexpected(read.error());
  if (options.snapshots.empty() != request.policy.has_rules()) {
    return base::fail(base::ErrorKind::kUsage,
                      "say what to keep (--keep-daily 7 and the like), or name the snapshots that "
                      "are to go; one of the two");
  }
  for (const std::string& words : options.snapshots) {
    const auto found = find_snapshot(repository, words);
    if (!found) return std::unexpected(found.error());
    request.named.insert(found->name);
  }
  auto list = repository.snapshots();
  if (!list) return std::unexpected(list.error());
  const auto held = repo::read_holds(repository.store());
  if (!held) return std::unexpected(held.error());
  Plan plan;
  plan.damaged = std::move(list->damaged);
  std::vector<repo::RetentionCandidate> candidates;
  for (const auto& [name, snapshot] : list->snapshots) {
    if (!options.host.empty() && snapshot.host != options.host) continue;
    plan.snapshots.push_back({.name = name, .snapshot = snapshot});
    candidates.push_back({.name = name,
                          .source = snapshot.source,
                          .created_s = snapshot.created_s,
                          .complete = snapshot.incomplete == 0,
                          .held = held->contains(name),
                          .tags = snapshot.tags});
  }
  auto decisions = decide_retention(candidates, request);
  if (!decisions) return std::unexpected(decisions.error());
  plan.decisions = std::move(*decisions);
  return plan;
}

void read_paths(const repo::Repository& repository, Plan& plan) {
  const auto reader = repo::ChunkReader::open(repository);
  if (!reader) return;
  for (const auto& [name, snapshot] : plan.snapshots) {
    std::vector<std::string>& paths = plan.paths[snapshot.source];
    if (!paths.empty()) continue;
    const auto roots = backup::read_listing(**reader, snapshot.roots, format::ListingKind::kRoots);
    if (!roots) continue;
    for (const model::TreeEntry& root : *roots) paths.push_back(root.name);
  }
}

std::string joined(const std::vector<std::string>& reasons) {
  std::string out;
  for (const std::string& reason : reasons)
    out += (out.empty() ? "" : "; ") + base::escape_for_terminal(reason);
  return out;
}

void print_plan(const Plan& plan, const ForgetOptions& options, Context& context) {
  std::map<std::string, std::vector<size_t>> groups;
  size_t gone = 0;
  for (size_t i = 0; i < plan.snapshots.size(); ++i) {
    gone += plan.decisions[i].kept ? 0 : 1;
    groups[source_in_words(plan, plan.snapshots[i].snapshot)].push_back(i);
  }
  for (const auto& [source, members] : groups) {
    context.out << source << "\n";
    for (const size_t i : members) {
      const auto& [name, snapshot] = plan.snapshots[i];
      const bool kept = plan.decisions[i].kept;
      const char* const word = kept ? "keep" : options.dry_run ? "drop" : "gone";
      context.out << "  " << word << "  " << short_name(name) << "  "
                  << ports::local_time_text(snapshot.created_s * kMicroseconds, 0) << "\n"
                  << wrap_text(joined(plan.decisions[i].reasons), context.text_width(), "        ",
                               "        ");
    }
  }
  context.out << (options.dry_run ? "Would keep " : "Kept ")
              << std::to_string(plan.snapshots.size() - gone) << " snapshots and "
              << (options.dry_run ? "remove " : "removed ") << std::to_string(gone) << ".\n";
  if (gone > 0 && !options.dry_run)
    context.out << "`twinport repo gc` frees what only they needed.\n";
}

void print_plan_json(const Plan& plan, const ForgetOptions& options, Context& context) {
  base::JsonWriter json = context.begin_json("forget");
  json.field("needs_attention", !plan.damaged.empty()).field("dry_run", options.dry_run);
  json.key("snapshots").begin_array();
  for (size_t i = 0; i < plan.snapshots.size(); ++i) {
    const auto& [name, snapshot] = plan.snapshots[i];
    json.begin_object().field("name", model::to_hex(name.text()));
    json.field("created", ports::rfc3339(snapshot.created_s * kMicroseconds));
    json.field("host", snapshot.host);
    json.key("paths").begin_array();
    const auto paths = plan.paths.find(snapshot.source);
    if (paths != plan.paths.end()) {
      for (const std::string& path : paths->second) json.string(path);
    }
    json.end_array().field("kept", plan.decisions[i].kept);
    json.key("reasons").begin_array();
    for (const std::string& reason : plan.decisions[i].reasons) json.string(reason);
    json.end_array().end_object();
  }
  json.end_array().key("damaged").begin_array();
  for (const std::string& what : plan.damaged) json.string(what);
  json.end_array();
  Context::end_json(json);
}

/// --hold and --release.
int set_holds(const ForgetOptions& options, const repo::Repository& repository, Context& context) {
  if (options.hold == options.release || options.snapshots.empty() || options.policy.has_rules()) {
    return context.fail(
        {base::ErrorKind::kUsage, "name the snapshots to hold or to release, and nothing else"});
  }
  std::vector<repo::SnapshotObject> found;
  for (const std::string& words : options.snapshots) {
    auto snapshot = find_snapshot(repository, words);
    if (!snapshot) return context.fail(snapshot.error());
    found.push_back(std::move(*snapshot));
  }
  for (const repo::SnapshotObject& snapshot : found) {
    if (options.dry_run) continue;
    if (auto set = repo::set_hold(repository.store(), snapshot.name, options.hold); !set)
      return context.fail(set.error());
  }
  if (context.json) {
    base::JsonWriter json = context.begin_json("forget");
    json.field("needs_attention", false).field("dry_run", options.dry_run);
    json.key("snapshots").begin_array();
    for (const auto& [name, snapshot] : found) {
      json.begin_object().field("name", model::to_hex(name.text()));
      json.field("created", ports::rfc3339(snapshot.created_s * kMicroseconds));
      json.field("host", snapshot.host).key("paths").begin_array().end_array();
      json.field("kept", true).key("reasons").begin_array();
      json.string(options.hold ? "held" : "held no longer").end_array().end_object();
    }
    json.end_array().key("damaged").begin_array().end_array();
    Context::end_json(json);
    return kDone;
  }
  for (const auto& [name, snapshot] : found) {
    context.out << short_name(name)
                << (options.hold ? " is held: no rule removes it.\n" : " is held no longer.\n");
  }
  return kDone;
}

}  // namespace

int run_forget(const ForgetOptions& options, Context& context) {
  auto opened = open_repository(options.repository, context);
  if (!opened) return context.fail(opened.error());
  if (options.hold || options.release) return set_holds(options, *opened->repository, context);
  auto plan = make_plan(options, *opened->repository, context);
  if (!plan) return context.fail(plan.error());
  read_paths(*opened->repository, *plan);
  if (!options.dry_run) {
    std::vector<model::ChunkId> names;
    for (const repo::RetentionDecision& decision : plan->decisions) {
      if (!decision.kept) names.push_back(decision.name);
    }
    if (auto removed = repo::remove_snapshots(*opened->store, names); !removed)
      return context.fail(removed.error());
  }
  for (const std::string& damaged : plan->damaged) context.warn(base::escape_controls(damaged));
  if (context.json) {
    print_plan_json(*plan, options, context);
  } else {
    print_plan(*plan, options, context);
  }
  return plan->damaged.empty() ? kDone : kAttention;
}

}  // namespace apps
