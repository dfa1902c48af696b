// twinport repo repair.
#include "apps/cmd_repository.h"
#include "backup/check.h"
#include "base/text.h"
#include "base/units.h"
#include "repo/repair.h"

namespace apps {
namespace {

struct LostFile {
  std::string snapshot;
  std::string path;
  std::string what;
};

struct Outcome {
  repo::RepairReport report;
  std::vector<LostFile> files;
  bool named_files = false;
};

bool has_key(const RepositoryOptions& options, const Context& context) {
  return !options.key_file.empty() || !options.passphrase_file.empty() ||
         !context.passphrase_file.empty();
}

/// With a key: which files of which snapshots what is lost belongs to.
base::Result<void> name_files(const repo::Repository& repository, Outcome& outcome) {
  const auto checked = backup::check_snapshots(
      repository, {},
      [&](const std::string& snapshot, const std::string& path, const std::string& what) {
        outcome.files.push_back({.snapshot = snapshot, .path = path, .what = what});
      });
  if (!checked) return std::unexpected(checked.error());
  outcome.named_files = true;
  return {};
}

base::Result<Outcome> work(const RepoRepairOptions& options, Context& context) {
  const bool with_key = has_key(options.repository, context);
  OpenedRepository opened;
  if (with_key) {
    // A wrong passphrase is told before anything is changed.
    auto found = open_repository(options.repository, context);
    if (!found) return std::unexpected(found.error());
    opened = std::move(*found);
  } else {
    auto store = open_store(options.repository, context);
    if (!store) return std::unexpected(store.error());
    opened.store = std::move(*store);
  }
  Outcome outcome;
  auto report = repo::repair(*opened.store, options.dry_run);
  if (!report) return std::unexpected(report.error());
  outcome.report = std::move(*report);
  if (with_key) {
    if (auto named = name_files(*opened.repository, outcome); !named)
      return std::unexpected(named.error());
  }
  return outcome;
}

void print_outcome(const Outcome& outcome, bool dry_run, Context& context) {
  if (dry_run && !outcome.report.done.empty())
    context.out << "Nothing was changed. Without --dry-run:\n";
  for (const std::string& sentence : outcome.report.done)
    context.out << base::escape_controls(sentence) << ".\n";
  context.out << "Read " << std::to_string(outcome.report.packs) << " packs, "
              << base::size_in_words(outcome.report.bytes) << ".\n";
  for (const LostFile& file : outcome.files) {
    context.out << "Lost: snapshot " << file.snapshot.substr(0, 8) << ": "
                << base::escape_for_terminal(file.path) << ": " << base::escape_controls(file.what)
                << "\n";
  }
  if (outcome.report.lost_chunks == 0) {
    context.out << (outcome.report.done.empty() ? "There was nothing to repair.\n"
                                                : "Snapshots have all that they need.\n");
    return;
  }
  context.out << "Snapshots lack " << std::to_string(outcome.report.lost_chunks)
              << " chunks. A backup that meets the same data again stores them again.\n";
  if (!outcome.named_files)
    context.out << "With --passphrase-file or --key-file the files are named.\n";
}

void print_outcome_json(const Outcome& outcome, bool dry_run, Context& context) {
  base::JsonWriter json = context.begin_json("repo repair");
  json.field("needs_attention", outcome.report.lost_chunks > 0 || !outcome.report.done.empty());
  json.field("dry_run", dry_run);
  json.key("done").begin_array();
  for (const std::string& sentence : outcome.report.done) json.string(sentence);
  json.end_array().field("packs_read", outcome.report.packs);
  json.field("bytes_read", outcome.report.bytes).field("lost_chunks", outcome.report.lost_chunks);
  json.key("lost_files");
  if (!outcome.named_files) {
    json.null();
  } else {
    json.begin_array();
    for (const LostFile& file : outcome.files) {
      json.begin_object().field("snapshot", file.snapshot).field("path", file.path);
      json.field("what", file.what).end_object();
    }
    json.end_array();
  }
  Context::end_json(json);
}

}  // namespace

int run_repo_repair(const RepoRepairOptions& options, Context& context) {
  const auto outcome = work(options, context);
  if (!outcome) return context.fail(outcome.error());
  if (context.json) {
    print_outcome_json(*outcome, options.dry_run, context);
  } else {
    print_outcome(*outcome, options.dry_run, context);
  }
  return outcome->report.done.empty() && outcome->report.lost_chunks == 0 ? kDone : kAttention;
}

}  // namespace apps
