// Commands about a repository: backup and restore.
#include <array>
#include <memory>

#include "apps/cmd_repository.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

void define_repository(CLI::App& app, RepositoryOptions& options) {
  define_store(app, options);
  define_secrets(app, options);
}

Run define_repo_init(CLI::App& app) {
  auto options = std::make_shared<RepoInitOptions>();
  define_repository(app, options->repository);
  return [options](Context& context) { return run_repo_init(*options, context); };
}

Run define_repo_check(CLI::App& app) {
  auto options = std::make_shared<RepoCheckOptions>();
  define_repository(app, options->repository);
  app.add_flag("--scrub", options->scrub,
               "Read every object and compare it with its name; needs no key");
  app.add_flag("--read-data", options->read_data,
               "Also open every chunk, and name the files that damage hits");
  return [options](Context& context) { return run_repo_check(*options, context); };
}

void define_selection(CLI::App& app, SelectionOptions& options) {
  // One value each: what follows is a path, and "[ab]" a pattern, not CLI11's notation of a list.
  app.add_option("--exclude", options.exclude,
                 "Leave out what matches, as in .gitignore; may be repeated")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_option("--exclude-file", options.exclude_files,
                 "File with a pattern a line, - for standard input; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_flag("--exclude-caches", options.exclude_caches,
               "Leave out what is in directories marked by a CACHEDIR.TAG");
  app.add_option("--exclude-larger-than", options.file_largest,
                 "Leave out files larger than this, such as 4GiB")
      ->type_name("SIZE");
  app.add_flag("--one-file-system", options.one_file_system,
               "Leave empty what other file systems are mounted on");
}

Run define_backup(CLI::App& app) {
  auto options = std::make_shared<BackupOptions>();
  define_repository(app, options->repository);
  app.add_option("PATH", options->paths, "Files and directories")->type_name("PATH");
  define_selection(app, options->selection);
  app.add_option("--tag", options->tags, "A word to find the snapshot by; may be repeated")
      ->type_name("WORD")
      ->take_all();
  app.add_option("--host", options->host, "Name of this machine in the snapshot")
      ->type_name("NAME");
  app.add_flag("--read-all", options->read_all,
               "Read files again that look unchanged since the last snapshot");
  app.add_option("--stdin", options->stdin_name,
                 "Back up standard input, as a file of that name, and no paths")
      ->type_name("NAME");
  app.add_option("--from-command", options->command_name,
                 "Back up what the command behind -- writes, as a file of that name; none if it "
                 "fails")
      ->type_name("NAME");
  return [options](Context& context) { return run_backup(*options, context); };
}

Run define_snapshots(CLI::App& app) {
  auto options = std::make_shared<SnapshotsOptions>();
  define_repository(app, options->repository);
  app.add_option("--host", options->host, "Only of this machine")->type_name("NAME");
  app.add_option("--tag", options->tag, "Only with this tag")->type_name("WORD");
  app.add_flag("--no-header", options->no_header, "Only the rows, for scripts");
  return [options](Context& context) { return run_snapshots(*options, context); };
}

void define_snapshot_and_paths(CLI::App& app, std::string& snapshot,
                               std::vector<std::string>& paths) {
  app.add_option("SNAPSHOT", snapshot, "First digits of its name, or latest")
      ->required()
      ->type_name("SNAPSHOT");
  app.add_option("PATH", paths, "Absolute paths as they were backed up")->type_name("PATH");
}

Run define_ls(CLI::App& app) {
  auto options = std::make_shared<LsOptions>();
  define_repository(app, options->repository);
  define_snapshot_and_paths(app, options->snapshot, options->paths);
  app.add_flag("-r,--recursive", options->recursive, "Everything below as well");
  return [options](Context& context) { return run_ls(*options, context); };
}

Run define_restore(CLI::App& app) {
  auto options = std::make_shared<RestoreOptions>();
  define_repository(app, options->repository);
  define_snapshot_and_paths(app, options->snapshot, options->paths);
  app.add_option("--to", options->target, "Directory to restore into; new, or empty")
      ->required()
      ->type_name("DIR");
  app.add_flag("--numeric-owners", options->numeric_owners,
               "Set owners by number, whatever names say here");
  return [options](Context& context) { return run_restore(*options, context); };
}

constexpr auto kCommands = std::to_array<Definition>({
    {"repo init", "Make a repository for backups in a directory",
     "Makes an encrypted repository in a new or empty directory. It opens with a passphrase, which "
     "is asked for or read from a file, or with a key file, which is made if it does not exist; "
     "with either, where --passphrase-file and --key-file are both given. "
     "Whoever loses all of them loses the backups: there is no other way in. What is printed is "
     "worth keeping with them.",
     "twinport repo init --repo backup\n"
     "twinport repo init --repo other --key-file other.key  # no passphrase at all\n",
     define_repo_init},
    {"backup", "Back up files and directories to a repository",
     "Stores what is new or changed since the last snapshot of the same paths, compressed and "
     "encrypted, and then a snapshot that refers to all of it. Files that vanish, change or cannot "
     "be read meanwhile are named and stop nothing; the exit code is then 1. A backup that is "
     "interrupted leaves earlier ones as they were, and the next one uses what it stored.\n\n"
     "A dump needs no file: --from-command runs a command and stores what it writes on standard "
     "output. If the command fails or is killed, there is no snapshot. --stdin stores standard "
     "input, of which nobody can tell whether it was all.",
     "twinport backup . --repo backup\n"
     "twinport backup /etc/hosts /etc/passwd --repo backup --tag nightly\n"
     "twinport backup . --repo backup --exclude '*.o' --exclude /build/\n"
     "twinport backup --from-command packages.txt --repo backup -- dpkg --list\n"
     "seq 1000 | twinport backup --stdin numbers --repo backup\n",
     define_backup},
    {"snapshots", "The backups that a repository has",
     "Lists snapshots, oldest first: when each was made, of which machine, and how much was new.",
     "twinport snapshots --repo backup\n"
     "twinport snapshots --repo backup --json | jq -r '.snapshots[-1].name'\n",
     define_snapshots},
    {"ls", "What is in a snapshot",
     "Lists the paths that were backed up or, for each PATH, what it is and what is in it.",
     "twinport ls latest --repo backup\n"
     "twinport ls latest /etc/hosts --repo backup\n"
     "twinport ls latest --recursive --repo backup\n",
     define_ls},
    {"restore", "Bring files of a snapshot back",
     "Makes the files of a snapshot anew below a directory: what was /srv/data becomes "
     "DIR/srv/data. Nothing that is there is written over or followed. Damaged files are left out "
     "and named, all others are restored. What cannot be set without root (owners, some flags and "
     "attributes) is listed.",
     "twinport restore latest --repo backup --to restored\n"
     "twinport restore latest /etc/hosts --repo backup --to hosts-only\n",
     define_restore},
    {"repo check", "Whether a repository has all that its snapshots need",
     "Looks whether every chunk that a snapshot needs is in a pack that is there. With --scrub all "
     "objects are read and compared with their names, which are hashes: that needs no key. With "
     "--read-data every chunk is opened too. Damage is told by file and snapshot where the key is "
     "at hand.",
     "twinport repo check --repo backup\n"
     "twinport repo check --repo backup --scrub  # on a machine that has no key\n"
     "twinport repo check --repo backup --read-data\n",
     define_repo_check},
});

}  // namespace

std::span<const Definition> repository_commands() { return kCommands; }

}  // namespace apps
