// How commands come to a repository: which one is meant, and what opens it. Secrets come from a
// prompt on the terminal or from files; never from the command line.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/context.h"
#include "disk/directory_store.h"
#include "repo/repository.h"

namespace apps {

struct RepositoryOptions {
  std::string repository;       ///< "" = TWINPORT_REPO
  std::string passphrase_file;  ///< "" = TWINPORT_PASSPHRASE_FILE
  std::string key_file;
};

struct OpenedRepository {
  std::unique_ptr<disk::DirectoryStore> store;
  std::unique_ptr<repo::Repository> repository;
};

/// The directory that is meant; kUsage where none is named.
base::Result<std::string> repository_path(const RepositoryOptions& options, const Context& context);

/// The key file's or passphrase file's secret, else a passphrase from the terminal; `twice` asks
/// for it again, as one does for a new one.
base::Result<repo::Credential> read_credential(const RepositoryOptions& options,
                                               const Context& context, bool twice = false);

/// What needs no key.
base::Result<std::unique_ptr<disk::DirectoryStore>> open_store(const RepositoryOptions& options,
                                                               const Context& context);

base::Result<OpenedRepository> open_repository(const RepositoryOptions& options,
                                               const Context& context);

/// `words`: "latest", or the beginning of a snapshot's name that no other has.
base::Result<repo::SnapshotObject> find_snapshot(const repo::Repository& repository,
                                                 const std::string& words);

/// What people call a snapshot: the first digits of its name.
std::string short_name(const model::ChunkId& name);

/// Threads for work that takes all processors.
unsigned worker_count();

}  // namespace apps
