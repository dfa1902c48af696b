// twinport snapshots.
#include <algorithm>

#include "apps/cmd_repository.h"
#include "apps/table.h"
#include "backup/tree_reader.h"
#include "base/text.h"
#include "base/units.h"
#include "ports/time_query.h"

namespace apps {
namespace {

constexpr int64_t kMicroseconds = 1'000'000;

bool is_wanted(const model::Snapshot& snapshot, const SnapshotsOptions& options) {
  return (options.host.empty() || snapshot.host == options.host) &&
         (options.tag.empty() ||
          std::ranges::find(snapshot.tags, options.tag) != snapshot.tags.end());
}

/// The paths that a snapshot has; empty where they cannot be read.
std::vector<std::string> paths_of(repo::ChunkReader& reader, const model::Snapshot& snapshot) {
  std::vector<std::string> out;
  const auto roots = backup::read_listing(reader, snapshot.roots, format::ListingKind::kRoots);
  if (!roots) return out;
  for (const model::TreeEntry& root : *roots) out.push_back(root.name);
  return out;
}

void print_json(const std::vector<repo::SnapshotObject>& snapshots,
                const std::vector<std::string>& damaged, repo::ChunkReader& reader,
                Context& context) {
  base::JsonWriter json = context.begin_json("snapshots");
  json.field("needs_attention", !damaged.empty());
  json.key("snapshots").begin_array();
  for (const auto& [name, snapshot] : snapshots) {
    json.begin_object().field("name", model::to_hex(name.text()));
    json.field("created", ports::rfc3339(snapshot.created_s * kMicroseconds));
    json.field("host", snapshot.host).field("user", snapshot.user);
    json.key("paths").begin_array();
    for (const std::string& path : paths_of(reader, snapshot)) json.string(path);
    json.end_array().key("tags").begin_array();
    for (const std::string& tag : snapshot.tags) json.string(tag);
    json.end_array();
    json.field("files", snapshot.files).field("directories", snapshot.directories);
    json.field("others", snapshot.others).field("data_bytes", snapshot.data_bytes);
    json.field("added_bytes", snapshot.added_bytes).field("incomplete", snapshot.incomplete);
    json.end_object();
  }
  json.end_array().key("damaged").begin_array();
  for (const std::string& what : damaged) json.string(what);
  json.end_array();
  Context::end_json(json);
}

void print_table(const std::vector<repo::SnapshotObject>& snapshots, repo::ChunkReader& reader,
                 bool with_header, Context& context) {
  Table table({{.header = "SNAPSHOT"},
               {.header = "CREATED"},
               {.header = "HOST", .least = 8, .spare = 2},
               {.header = "FILES", .right = true, .spare = 3},
               {.header = "SIZE", .right = true},
               {.header = "NEW", .right = true, .spare = 1},
               {.header = "PATHS", .least = 12}});
  for (const auto& [name, snapshot] : snapshots) {
    table.cell(short_name(name));
    table.cell(ports::local_time_text(snapshot.created_s * kMicroseconds, 0));
    table.cell(base::escape_for_terminal(snapshot.host));
    table.cell(std::to_string(snapshot.files));
    table.cell(base::size_in_words(snapshot.data_bytes));
    table.cell(base::size_in_words(snapshot.added_bytes));
    std::string paths;
    for (const std::string& path : paths_of(reader, snapshot))
      paths += (paths.empty() ? "" : " ") + base::escape_for_terminal(path);
    for (const std::string& tag : snapshot.tags) paths += " #" + base::escape_for_terminal(tag);
    table.cell(paths);
  }
  table.print(context.out, context.style, context.width, with_header);
}

}  // namespace

int run_snapshots(const SnapshotsOptions& options, Context& context) {
  auto opened = open_repository(options.repository, context);
  if (!opened) return context.fail(opened.error());
  auto list = opened->repository->snapshots();
  if (!list) return context.fail(list.error());
  std::erase_if(list->snapshots, [&](const repo::SnapshotObject& object) {
    return !is_wanted(object.snapshot, options);
  });
  auto reader = repo::ChunkReader::open(*opened->repository);
  if (!reader) return context.fail(reader.error());
  for (const std::string& damaged : list->damaged) context.warn(base::escape_controls(damaged));
  if (context.json) {
    print_json(list->snapshots, list->damaged, **reader, context);
  } else if (list->snapshots.empty()) {
    context.err << "There is no such snapshot.\n";
  } else {
    print_table(list->snapshots, **reader, !options.no_header, context);
  }
  return list->damaged.empty() ? kDone : kAttention;
}

}  // namespace apps
