// twinport backup.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "apps/backup_stream.h"
#include "apps/cmd_repository.h"
#include "backup/backup.h"
#include "base/text.h"
#include "base/units.h"
#include "disk/posix_source.h"

namespace apps {
namespace {

struct Problem {
  std::string path;
  std::string what;
};

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

std::string user_name() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? std::to_string(geteuid()) : user->pw_name;
}

void print_report(const backup::BackupReport& report, const std::vector<Problem>& problems,
                  Context& context) {
  const model::Snapshot& snapshot = report.snapshot;
  context.out << "Snapshot " << short_name(report.name) << ": " << std::to_string(snapshot.files)
              << " files, " << std::to_string(snapshot.directories) << " directories, "
              << base::size_in_words(snapshot.data_bytes) << ".\n"
              << (report.had_parent ? std::to_string(report.unchanged_files) +
                                          " files were unchanged since the last snapshot. "
                                    : std::string())
              << "New: " << base::size_in_words(snapshot.added_bytes) << ", stored as "
              << base::size_in_words(report.stored_bytes) << ".\n"
              << left_out_in_words(report.left_out);
  if (!problems.empty()) {
    context.out << std::to_string(problems.size())
                << (problems.size() == 1 ? " entry is" : " entries are")
                << " not as it should be in this snapshot; see above.\n";
  }
}

void print_report_json(const backup::BackupReport& report, const std::vector<Problem>& problems,
                       Context& context) {
  const model::Snapshot& snapshot = report.snapshot;
  base::JsonWriter json = context.begin_json("backup");
  json.field("needs_attention", !problems.empty());
  json.field("snapshot", model::to_hex(report.name.text()));
  json.field("files", snapshot.files).field("directories", snapshot.directories);
  json.field("others", snapshot.others).field("unchanged_files", report.unchanged_files);
  json.field("data_bytes", snapshot.data_bytes).field("added_bytes", snapshot.added_bytes);
  json.field("stored_bytes", report.stored_bytes);
  write_left_out(report.left_out, json);
  json.key("problems").begin_array();
  for (const Problem& problem : problems)
    json.begin_object().field("path", problem.path).field("what", problem.what).end_object();
  json.end_array();
  Context::end_json(json);
}

}  // namespace

int run_backup(const BackupOptions& options, Context& context) {
  const auto streamed = open_backup_stream(options);
  if (!streamed) return context.fail(streamed.error());
  backup::StreamSource* const stream = streamed->get();
  auto selection = read_selection(options.selection);
  if (!selection) return context.fail(selection.error());
  auto opened = open_repository(options.repository, context);
  if (!opened) return context.fail(opened.error());
  std::error_code error;
  const std::string current = std::filesystem::current_path(error).string();
  std::vector<Problem> problems;
  backup::BackupRequest request;
  for (const std::string& path : options.paths) {
    if (path.empty()) return context.fail({base::ErrorKind::kUsage, "a path is empty"});
    request.paths.push_back(backup::absolute_path(path, current));
  }
  if (stream != nullptr) request.paths = {stream->path()};
  std::ranges::sort(request.paths);
  const auto repeated = std::ranges::unique(request.paths);
  request.paths.erase(repeated.begin(), repeated.end());
  request.selection = std::move(*selection);
  request.tags = options.tags;
  request.host = options.host.empty() ? host_name() : options.host;
  request.user = user_name();
  request.program = "twinport " TWINPORT_VERSION;
  request.read_all = options.read_all || stream != nullptr;
  request.writer.workers = worker_count();
  Machine& machine = context.machine();
  request.store_clock_s = [&] { return machine.now_unix_s(); };
  request.on_problem = [&](const std::string& path, const std::string& what) {
    if (stream != nullptr && stream->failure()) return;  // that is told once, at the end
    context.warn(base::escape_for_terminal(path) + ": " + base::escape_for_terminal(what));
    problems.push_back({.path = path, .what = what});
  };
  disk::PosixSource files;
  files.leave_out(opened->store->description());
  backup::Source& source = stream != nullptr ? static_cast<backup::Source&>(*stream) : files;
  const auto report = backup::back_up(*opened->repository, source, request);
  if (stream != nullptr && stream->failure()) {
    return context.fail(
        {base::ErrorKind::kIo, "no snapshot was made: " + stream->failure()->message});
  }
  if (!report) return context.fail(report.error());
  if (stream != nullptr && report->snapshot.data_bytes == 0)
    request.on_problem(stream->path(), "nothing came, so the file is empty");
  if (context.json) {
    print_report_json(*report, problems, context);
  } else {
    print_report(*report, problems, context);
  }
  return problems.empty() ? kDone : kAttention;
}

}  // namespace apps
