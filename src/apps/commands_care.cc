// Commands that keep a repository: which snapshots stay, and clearing up behind the others.
#include <array>
#include <memory>

#include "apps/cmd_repository.h"
#include "apps/command_definition.h"

namespace apps {
namespace {

Run define_forget(CLI::App& app) {
  auto options = std::make_shared<ForgetOptions>();
  define_store(app, options->repository);
  define_secrets(app, options->repository);
  repo::RetentionPolicy& policy = options->policy;
  app.add_option("SNAPSHOT", options->snapshots, "Snapshots that are to go, in place of a policy")
      ->type_name("SNAPSHOT");
  app.add_option("--keep-last", policy.last, "Keep the N newest")->type_name("N");
  app.add_option("--keep-hourly", policy.hourly, "Keep the newest of each of N hours")
      ->type_name("N");
  app.add_option("--keep-daily", policy.daily, "Keep the newest of each of N days")->type_name("N");
  app.add_option("--keep-weekly", policy.weekly, "Keep the newest of each of N weeks")
      ->type_name("N");
  app.add_option("--keep-monthly", policy.monthly, "Keep the newest of each of N months")
      ->type_name("N");
  app.add_option("--keep-yearly", policy.yearly, "Keep the newest of each of N years")
      ->type_name("N");
  app.add_option("--keep-within", options->within,
                 "Keep all that are so much older than the newest, or less")
      ->type_name("DURATION");
  app.add_option("--keep-tag", policy.tags, "Keep all with this tag; may be repeated")
      ->type_name("WORD")
      ->take_all();
  app.add_option("--host", options->host, "Only snapshots of this machine")->type_name("NAME");
  app.add_flag("-n,--dry-run", options->dry_run, "Remove nothing; show each snapshot and its rule");
  app.add_flag("--force", options->force, "Also remove what is younger than seven days");
  app.add_flag("--trust-clock", options->trust_clock,
               "Go on although the clock seems to have jumped");
  app.add_flag("--hold", options->hold, "Hold the snapshots named: no rule removes them");
  app.add_flag("--release", options->release, "End that");
  return [options](Context& context) { return run_forget(*options, context); };
}

Run define_repo_gc(CLI::App& app) {
  auto options = std::make_shared<RepoGcOptions>();
  define_store(app, options->repository);
  app.add_option("--dead-share", options->dead_percent,
                 "Write packs anew of which so much is dead, in percent")
      ->check(CLI::Range(1, 100))
      ->capture_default_str()
      ->type_name("N");
  app.add_flag("-n,--dry-run", options->dry_run, "Only say what would be done");
  return [options](Context& context) { return run_repo_gc(*options, context); };
}

Run define_repo_repair(CLI::App& app) {
  auto options = std::make_shared<RepoRepairOptions>();
  define_store(app, options->repository);
  define_secrets(app, options->repository);
  app.add_flag("-n,--dry-run", options->dry_run, "Only say what would be done");
  return [options](Context& context) { return run_repo_repair(*options, context); };
}

constexpr auto kCommands = std::to_array<Definition>({
    {"forget", "Remove snapshots that no rule keeps",
     "Keeps the snapshots that the rules ask for and removes the others; snapshots of the same "
     "machine and paths count together. Whatever the rules say, the newest of each and its newest "
     "complete one stay, so do held ones, and none younger than seven days goes without --force. "
     "Where the clock has jumped nothing is removed. What only they needed is freed by `repo gc`.",
     "twinport forget --keep-daily 7 --keep-monthly 12 --dry-run --repo backup\n"
     "twinport forget --keep-within 30d --keep-tag nightly --repo backup\n"
     "twinport forget latest --hold --repo backup  # no rule removes it\n",
     define_forget},
    {"repo gc", "Free what no snapshot needs any more",
     "Needs no key, and may run beside backups and restores: what one that is at work counts on "
     "stays until it ends, and the next run frees it. Packs of which nothing is needed are "
     "removed, "
     "those of which much is dead are written anew, and small indexes are merged. An interrupted "
     "run leaves nothing damaged. Works on a full disk: some room is kept for it.",
     "twinport repo gc --repo backup --dry-run\n"
     "twinport repo gc --repo backup\n",
     define_repo_gc},
    {"repo repair", "Make a damaged repository one that works again",
     "Reads every pack. Makes indexes anew from packs, and config and key slots from their copies; "
     "saves what is undamaged of a damaged pack. What cannot be saved moves to damaged/, nothing "
     "is "
     "thrown away, and what snapshots lack is put on a list: with a key their files are named. The "
     "next backup that meets the same data stores it again, which heals those snapshots too.",
     "twinport repo repair --repo backup --dry-run\n"
     "twinport repo repair --repo backup\n",
     define_repo_repair},
});

}  // namespace

std::span<const Definition> care_commands() { return kCommands; }

}  // namespace apps
