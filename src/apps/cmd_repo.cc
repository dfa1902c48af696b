// twinport repo init and repo check.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "apps/cmd_repository.h"
#include "backup/check.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "format/repository_config.h"
#include "ports/time_query.h"
#include "repo/gc.h"
#include "repo/scrub.h"

namespace apps {
namespace {

/// A new key file, which nobody else may read; one that exists is used as it is.
base::Result<bool> make_key_file(const std::string& path) {
  const base::Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  if (!file.valid() && errno == EEXIST) return false;
  const std::string shown = base::escape_for_terminal(path);
  if (!file.valid()) return base::fail_errno("cannot make the key file " + shown, errno);
  const repo::Credential line(model::SlotKind::kKeyFile, repo::make_key_file_line() + "\n");
  const auto size = static_cast<ssize_t>(line.secret.size());
  if (write(file.get(), line.secret.data(), line.secret.size()) != size || fsync(file.get()) != 0) {
    const int error = errno;
    unlink(path.c_str());  // half a key must not be taken for one the next time
    return base::fail_errno("cannot write the key file " + shown, error);
  }
  // The repository is worth nothing without it, so its name must not be lost either.
  if (auto synced = base::sync_parent_directory(path); !synced)
    return std::unexpected(synced.error());
  return true;
}

bool has_both(const RepositoryOptions& options) {
  return !options.key_file.empty() && !options.passphrase_file.empty();
}

void print_sheet(const std::string& path, const std::string& id, const RepoInitOptions& options,
                 Context& context) {
  const std::string shown = base::escape_for_terminal(path);
  context.out << "Made the repository " << id << " in " << shown << ".\n\n";
  const bool by_file = !options.repository.key_file.empty();
  std::string secret = by_file ? "the key file " : "the passphrase that you chose";
  if (has_both(options.repository)) secret = "the passphrase that you chose, or the key file\n";
  if (by_file) secret += base::escape_for_terminal(options.repository.key_file);
  context.out << "It opens with " << secret
              << ",\nand with nothing else. Without it all that is backed up here is lost: keep a\n"
                 "copy where a fire that takes this machine does not reach"
              << (by_file ? ", and none beside the\nbackup.\n" : ".\n");
  context.out << "\nTo restore, on any machine that has Twinport and a copy of the repository:\n"
                 "  twinport restore latest --repo "
              << shown << (by_file ? " --key-file FILE" : "") << " --to DIR\n";
}

struct Findings {
  std::vector<std::string> objects;
  struct File {
    std::string snapshot;
    std::string path;
    std::string what;
  };
  std::vector<File> files;
  uint64_t objects_read = 0;
  uint64_t bytes_read = 0;
  backup::CheckReport trees;
  bool looked_at_trees = false;
};

void print_findings(const Findings& findings, const RepoCheckOptions& options, Context& context) {
  for (const std::string& damage : findings.objects)
    context.out << base::escape_controls(damage) << "\n";
  for (const Findings::File& file : findings.files) {
    if (!file.snapshot.empty()) context.out << "snapshot " << file.snapshot.substr(0, 8) << ": ";
    if (!file.path.empty()) context.out << base::escape_for_terminal(file.path) << ": ";
    context.out << base::escape_controls(file.what) << "\n";
  }
  const size_t problems = findings.objects.size() + findings.files.size();
  if (options.scrub || options.read_data) {
    context.out << "Read " << std::to_string(findings.objects_read) << " objects, "
                << base::size_in_words(findings.bytes_read) << ".\n";
  }
  if (findings.looked_at_trees) {
    context.out << "Looked at " << std::to_string(findings.trees.snapshots) << " snapshots with "
                << std::to_string(findings.trees.files) << " different files.\n";
  }
  context.out << (problems == 0 ? "No damage was found.\n"
                                : std::to_string(problems) +
                                      (problems == 1 ? " problem.\n" : " problems.\n"));
}

void print_findings_json(const Findings& findings, Context& context) {
  base::JsonWriter json = context.begin_json("repo check");
  json.field("needs_attention", !findings.objects.empty() || !findings.files.empty());
  json.field("objects_read", findings.objects_read).field("bytes_read", findings.bytes_read);
  json.key("snapshots");
  findings.looked_at_trees ? json.number_unsigned(findings.trees.snapshots) : json.null();
  json.key("files");
  findings.looked_at_trees ? json.number_unsigned(findings.trees.files) : json.null();
  json.key("damaged_objects").begin_array();
  for (const std::string& damage : findings.objects) json.string(damage);
  json.end_array().key("damaged_files").begin_array();
  for (const Findings::File& file : findings.files) {
    json.begin_object();
    json.key("snapshot");
    file.snapshot.empty() ? json.null() : json.string(file.snapshot);
    json.key("path");
    file.path.empty() ? json.null() : json.string(file.path);
    json.field("what", file.what).end_object();
  }
  json.end_array();
  Context::end_json(json);
}

base::Result<void> look(const RepoCheckOptions& options, Context& context, Findings& findings) {
  // A scrub is for machines that have no key, so it asks for none.
  const bool with_key = !options.scrub;
  OpenedRepository opened;
  if (with_key) {
    auto found = open_repository(options.repository, context);
    if (!found) return std::unexpected(found.error());
    opened = std::move(*found);
  } else {
    auto store = open_store(options.repository, context);
    if (!store) return std::unexpected(store.error());
    opened.store = std::move(*store);
    if (const auto config = repo::read_config(*opened.store); !config)
      return std::unexpected(config.error());
  }
  auto small = repo::scrub_small_objects(*opened.store);
  if (!small) return std::unexpected(small.error());
  findings.objects = std::move(small->damage);
  findings.objects_read = small->objects;
  findings.bytes_read = small->bytes;
  repo::DamagedChunks damaged;
  if (options.scrub || options.read_data) {
    auto packs = repo::scrub_packs(*opened.store, opened.repository.get(), worker_count());
    if (!packs) return std::unexpected(packs.error());
    findings.objects.insert(findings.objects.end(), packs->damage.begin(), packs->damage.end());
    findings.objects_read += packs->objects;
    findings.bytes_read += packs->bytes;
    damaged = std::move(packs->damaged);
  }
  if (!with_key) return {};
  const auto trees = backup::check_snapshots(
      *opened.repository, damaged,
      [&](const std::string& snapshot, const std::string& file, const std::string& what) {
        findings.files.push_back({.snapshot = snapshot, .path = file, .what = what});
      });
  if (!trees) return std::unexpected(trees.error());
  findings.trees = *trees;
  findings.looked_at_trees = true;
  return {};
}

}  // namespace

int run_repo_init(const RepoInitOptions& options, Context& context) {
  const auto path = repository_path(options.repository, context);
  if (!path) return context.fail(path.error());
  auto store = disk::DirectoryStore::create(*path);
  if (!store) return context.fail(store.error());
  if (const auto config = repo::read_config(**store);
      config || config.error().kind != base::ErrorKind::kNotFound) {
    return context.fail({base::ErrorKind::kUsage, "there is a repository in " +
                                                      base::escape_for_terminal(*path) +
                                                      " already; it was left as it is"});
  }
  if (!options.repository.key_file.empty()) {
    if (auto made = make_key_file(options.repository.key_file); !made)
      return context.fail(made.error());
  }
  const auto credential = read_credential(options.repository, context, true);
  if (!credential) return context.fail(credential.error());
  std::vector<const repo::Credential*> credentials{&*credential};
  // Who names both wants to be able to use either.
  RepositoryOptions by_passphrase = options.repository;
  by_passphrase.key_file.clear();
  std::optional<repo::Credential> second;
  if (has_both(options.repository)) {
    auto passphrase = read_credential(by_passphrase, context, true);
    if (!passphrase) return context.fail(passphrase.error());
    second.emplace(std::move(*passphrase));
    credentials.push_back(&*second);
  }
  const int64_t now_s = context.machine().now_unix_s();
  if (auto made = repo::Repository::create(**store, credentials, now_s); !made)
    return context.fail(made.error());
  if (auto reserved = (*store)->reserve(repo::kGcReserve); !reserved)
    context.warn("no room could be kept for gc on a full disk: " + reserved.error().message);
  const auto bytes = repo::read_config(**store);
  if (!bytes) return context.fail(bytes.error());
  const auto config = format::decode_config(*bytes);
  if (!config) return context.fail(config.error());
  const std::string id = model::to_hex(base::as_text(config->repository));
  if (context.json) {
    base::JsonWriter json = context.begin_json("repo init");
    json.field("repository", id).field("path", *path);
    json.key("key_file");
    options.repository.key_file.empty() ? json.null() : json.string(options.repository.key_file);
    Context::end_json(json);
    return kDone;
  }
  print_sheet(*path, id, options, context);
  return kDone;
}

int run_repo_check(const RepoCheckOptions& options, Context& context) {
  if (options.scrub && options.read_data) {
    return context.fail({base::ErrorKind::kUsage,
                         "--scrub needs no key and --read-data needs it; choose one of them"});
  }
  Findings findings;
  if (auto looked = look(options, context, findings); !looked) return context.fail(looked.error());
  if (context.json) {
    print_findings_json(findings, context);
  } else {
    print_findings(findings, options, context);
  }
  return findings.objects.empty() && findings.files.empty() ? kDone : kAttention;
}

}  // namespace apps
