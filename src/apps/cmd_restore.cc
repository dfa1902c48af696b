// twinport restore.
#include "apps/cmd_repository.h"
#include "backup/restore.h"
#include "base/text.h"
#include "base/units.h"
#include "disk/posix_target_tree.h"

namespace apps {
namespace {

struct Problem {
  std::string path;
  std::string what;
};

void print_report(const backup::RestoreReport& report, const std::string& target,
                  Context& context) {
  context.out << "Restored " << std::to_string(report.files) << " files, "
              << std::to_string(report.directories) << " directories, "
              << base::size_in_words(report.data_bytes) << " to "
              << base::escape_for_terminal(target) << ".\n";
  for (const auto& [what, count] : report.unset) {
    context.out << "Could not set: " << base::escape_for_terminal(what) << " of "
                << std::to_string(count.entries)
                << (count.entries == 1 ? " entry, " : " entries, first ")
                << base::escape_for_terminal(count.first_path) << "\n";
  }
  if (report.problems > 0) {
    context.out << std::to_string(report.problems)
                << " could not be restored as they were; see above.\n";
  }
}

void print_report_json(const backup::RestoreReport& report, const std::vector<Problem>& problems,
                       const std::string& snapshot, Context& context) {
  base::JsonWriter json = context.begin_json("restore");
  json.field("needs_attention", !problems.empty() || !report.unset.empty());
  json.field("snapshot", snapshot);
  json.field("files", report.files).field("directories", report.directories);
  json.field("others", report.others).field("data_bytes", report.data_bytes);
  json.key("problems").begin_array();
  for (const Problem& problem : problems)
    json.begin_object().field("path", problem.path).field("what", problem.what).end_object();
  json.end_array().key("unset").begin_array();
  for (const auto& [what, count] : report.unset) {
    json.begin_object().field("what", what).field("entries", count.entries);
    json.field("first_path", count.first_path).end_object();
  }
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_restore(const RestoreOptions& options, Context& context) {
  auto opened = open_repository(options.repository, context);
  if (!opened) return context.fail(opened.error());
  const auto snapshot = find_snapshot(*opened->repository, options.snapshot);
  if (!snapshot) return context.fail(snapshot.error());
  auto reader = repo::ChunkReader::open(*opened->repository);
  if (!reader) return context.fail(reader.error());
  const auto target = disk::open_posix_target(options.target, options.numeric_owners);
  if (!target) return context.fail(target.error());
  std::vector<Problem> problems;
  backup::RestoreRequest request;
  request.roots = snapshot->snapshot.roots;
  for (const std::string& path : options.paths)
    request.paths.push_back(backup::absolute_path(path, "/"));
  request.workers = worker_count();
  request.on_problem = [&](const std::string& path, const std::string& what) {
    context.warn(base::escape_for_terminal(path) + ": " + base::escape_controls(what));
    problems.push_back({.path = path, .what = what});
  };
  const auto report = backup::restore(request, **reader, **target);
  if (!report) return context.fail(report.error());
  for (const std::string& notice : (*reader)->notices())
    request.on_problem(opened->store->description(), notice);
  if (context.json) {
    print_report_json(*report, problems, model::to_hex(snapshot->name.text()), context);
  } else {
    print_report(*report, options.target, context);
  }
  return problems.empty() && report->unset.empty() ? kDone : kAttention;
}

}  // namespace apps
