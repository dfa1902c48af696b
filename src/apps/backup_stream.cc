#include "apps/backup_stream.h"

#include <unistd.h>

#include "backup/tree_reader.h"
#include "base/text.h"
#include "disk/posix_source.h"
#include "host/input_streams.h"

namespace apps {
namespace {

std::unexpected<base::Error> unusable(std::string message) {
  return base::fail(base::ErrorKind::kUsage, std::move(message));
}

/// What goes together with what.
base::Result<void> check(const BackupOptions& options) {
  if (options.stdin_name.empty() && options.command_name.empty() && options.paths.empty()) {
    return unusable(
        "nothing to back up was named; give files or directories, or --stdin, or --from-command\n"
        "See `twinport backup --help`.");
  }
  if (!options.stdin_name.empty() && !options.command_name.empty())
    return unusable("--stdin and --from-command are each all of a snapshot; choose one of them");
  if (!options.command_name.empty() && options.paths.empty()) {
    return unusable(
        "--from-command stands without a command; write it last, behind --, as in\n"
        "  twinport backup --from-command orders.sql -- pg_dump orders");
  }
  if (!options.stdin_name.empty() && !options.paths.empty()) {
    return unusable("--stdin is all of a snapshot, and a path was given too: " +
                    base::escape_for_terminal(options.paths.front()) +
                    "; make two backups of them");
  }
  const bool streamed = !options.stdin_name.empty() || !options.command_name.empty();
  if (streamed && options.selection != SelectionOptions{}) {
    return unusable(
        "what to leave out is said of files; --stdin and --from-command store all that comes, so "
        "leave those options out");
  }
  if (!options.stdin_name.empty() && isatty(STDIN_FILENO) == 1) {
    return unusable(
        "--stdin would read what is typed: standard input is a terminal; pipe something into it, "
        "or use --from-command");
  }
  return {};
}

}  // namespace

base::Result<std::unique_ptr<backup::StreamSource>> open_backup_stream(
    const BackupOptions& options) {
  if (auto good = check(options); !good) return std::unexpected(good.error());
  const bool by_command = !options.command_name.empty();
  if (!by_command && options.stdin_name.empty()) return nullptr;
  const std::string& name = by_command ? options.command_name : options.stdin_name;
  const std::string path = backup::absolute_path(name, "/");
  if (path == "/" || name.ends_with('/')) {
    return unusable(base::escape_for_terminal(name) +
                    " is no name for a file; one is, for example, orders.sql");
  }
  model::TreeEntry file;
  file.mode = 0600;
  file.uid = geteuid();
  file.gid = getegid();
  disk::OwnerNames owners;
  file.user = owners.user(file.uid);
  file.group = owners.group(file.gid);
  std::unique_ptr<backup::ByteStream> bytes;
  if (by_command) {
    bytes = std::make_unique<host::CommandStream>(options.paths, STDERR_FILENO);
  } else {
    bytes = std::make_unique<host::DescriptorStream>(STDIN_FILENO, "standard input");
  }
  return std::make_unique<backup::StreamSource>(path, std::move(file), std::move(bytes),
                                                [] { return disk::PosixSource().now(); });
}

}  // namespace apps
