// twinport repo gc.
#include "apps/cmd_repository.h"
#include "apps/layout.h"
#include "base/text.h"
#include "base/units.h"
#include "repo/gc.h"

namespace apps {
namespace {

std::string counted(uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string packs_in_words(uint64_t packs, uint64_t bytes) {
  return counted(packs, "pack", "packs") + ", " + base::size_in_words(bytes);
}

void print_report(const repo::GcReport& report, bool dry_run, Context& context) {
  context.out << counted(report.snapshots, "snapshot needs ", "snapshots need ")
              << std::to_string(report.chunks) << " chunks. There are "
              << packs_in_words(report.packs, report.bytes) << ".\n";
  context.out << "Of no use:      " << packs_in_words(report.dead_packs, report.dead_bytes) << "\n";
  context.out << (dry_run ? "To write anew:  " : "Written anew:   ")
              << counted(report.rewritten_packs, "pack", "packs") << " without "
              << base::size_in_words(report.rewritten_dead_bytes) << " of dead data\n";
  if (report.acquitted_packs > 0) {
    context.out << "Needed again:   " << counted(report.acquitted_packs, "pack", "packs") << "\n";
  }
  if (!dry_run) {
    context.out << "Removed:        " << packs_in_words(report.removed_packs, report.removed_bytes)
                << "\n";
    if (report.leftovers.files > 0) {
      context.out << "Cleared away:   " << std::to_string(report.leftovers.files)
                  << " half-written files, " << base::size_in_words(report.leftovers.bytes) << "\n";
    }
    if (report.indexes_before != report.indexes_after) {
      context.out << "Indexes:        " << std::to_string(report.indexes_before) << " became "
                  << std::to_string(report.indexes_after) << "\n";
    }
  }
  if (report.waiting_packs > 0) {
    const std::string why =
        "Waiting:        " + packs_in_words(report.waiting_packs, report.waiting_bytes) +
        ". Somebody at work began before they were of no use, or a snapshot came "
        "meanwhile; the next run frees them.";
    context.out << wrap_text(why, context.text_width(), "", "                ");
  }
}

void print_report_json(const repo::GcReport& report, const RepoGcOptions& options,
                       Context& context) {
  base::JsonWriter json = context.begin_json("repo gc");
  json.field("needs_attention", !report.unfinished.empty() || !report.reserve_problem.empty());
  json.field("dry_run", options.dry_run);
  json.field("snapshots", report.snapshots).field("chunks", report.chunks);
  json.field("packs", report.packs).field("bytes", report.bytes);
  json.field("dead_packs", report.dead_packs).field("dead_bytes", report.dead_bytes);
  json.field("rewritten_packs", report.rewritten_packs);
  json.field("rewritten_dead_bytes", report.rewritten_dead_bytes);
  json.field("acquitted_packs", report.acquitted_packs);
  json.field("removed_packs", report.removed_packs).field("removed_bytes", report.removed_bytes);
  json.field("waiting_packs", report.waiting_packs).field("waiting_bytes", report.waiting_bytes);
  json.field("sessions", report.sessions);
  json.field("indexes_before", report.indexes_before).field("indexes_after", report.indexes_after);
  json.field("leftover_files", report.leftovers.files);
  json.field("leftover_bytes", report.leftovers.bytes);
  json.key("problems").begin_array();
  for (const std::string& problem : {report.unfinished, report.reserve_problem}) {
    if (!problem.empty()) json.string(problem);
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_repo_gc(const RepoGcOptions& options, Context& context) {
  const auto store = open_store(options.repository, context);
  if (!store) return context.fail(store.error());
  if (const auto config = repo::read_config(**store); !config) return context.fail(config.error());
  const auto report = repo::collect_garbage(
      **store, {.dead_percent = options.dead_percent, .dry_run = options.dry_run});
  if (!report) return context.fail(report.error());
  if (!report->unfinished.empty()) {
    context.warn("packs could not be written anew: " + base::escape_controls(report->unfinished) +
                 "; run gc again, now that there is more room");
  }
  if (!report->reserve_problem.empty()) {
    context.warn("no room could be kept for the next gc on a full disk: " +
                 base::escape_controls(report->reserve_problem));
  }
  if (context.json) {
    print_report_json(*report, options, context);
  } else {
    print_report(*report, options.dry_run, context);
  }
  return report->unfinished.empty() && report->reserve_problem.empty() ? kDone : kAttention;
}

}  // namespace apps
