// Commands about a repository in a directory.
#pragma once

#include <string>
#include <vector>

#include "apps/backup_selection.h"
#include "apps/context.h"
#include "apps/repository_access.h"
#include "repo/retention.h"

namespace apps {

struct RepoInitOptions {
  RepositoryOptions repository;
};

struct RepoCheckOptions {
  RepositoryOptions repository;
  bool scrub = false;
  bool read_data = false;
};

struct BackupOptions {
  RepositoryOptions repository;
  std::vector<std::string> paths;
  SelectionOptions selection;
  std::vector<std::string> tags;
  std::string host;
  bool read_all = false;
  std::string stdin_name;    ///< what standard input is called in the snapshot, "" = not read
  std::string command_name;  ///< the same of the command that `paths` then is
};

struct SnapshotsOptions {
  RepositoryOptions repository;
  std::string host;
  std::string tag;
  bool no_header = false;
};

struct LsOptions {
  RepositoryOptions repository;
  std::string snapshot;
  std::vector<std::string> paths;
  bool recursive = false;
};

struct RestoreOptions {
  RepositoryOptions repository;
  std::string snapshot;
  std::vector<std::string> paths;
  std::string target;
  bool numeric_owners = false;
};

struct ForgetOptions {
  RepositoryOptions repository;
  std::vector<std::string> snapshots;
  repo::RetentionPolicy policy;
  std::string within;
  std::string host;
  bool dry_run = false;
  bool force = false;
  bool trust_clock = false;
  bool hold = false;
  bool release = false;
};

struct RepoGcOptions {
  RepositoryOptions repository;
  unsigned dead_percent = 20;
  bool dry_run = false;
};

struct RepoRepairOptions {
  RepositoryOptions repository;
  bool dry_run = false;
};

int run_repo_init(const RepoInitOptions& options, Context& context);
int run_repo_check(const RepoCheckOptions& options, Context& context);
int run_backup(const BackupOptions& options, Context& context);
int run_snapshots(const SnapshotsOptions& options, Context& context);
int run_ls(const LsOptions& options, Context& context);
int run_restore(const RestoreOptions& options, Context& context);
int run_forget(const ForgetOptions& options, Context& context);
int run_repo_gc(const RepoGcOptions& options, Context& context);
int run_repo_repair(const RepoRepairOptions& options, Context& context);

}  // namespace apps
