#include "apps/repository_access.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include <termios.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace apps {
namespace {

constexpr size_t kSecretLargest = 4096;
constexpr size_t kShortName = 8;
constexpr size_t kShortestName = 4;

/// Without echo, which comes back whatever happens but a kill.
class QuietTerminal {
 public:
  explicit QuietTerminal(int fd) : fd_(fd) {
    changed_ = tcgetattr(fd_, &before_) == 0;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (changed_) tcsetattr(fd_, TCSAFLUSH, &quiet);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
  ~QuietTerminal() {
    if (changed_) tcsetattr(fd_, TCSAFLUSH, &before_);
  }

 private:
  int fd_;
  bool changed_ = false;
  termios before_{};
};

base::Result<std::string> ask(int terminal, std::string_view question) {
  const QuietTerminal quiet(terminal);
  if (write(terminal, question.data(), question.size()) < 0)
    return base::fail_errno("cannot ask for the passphrase", errno);
  std::string line;
  for (char byte; line.size() < kSecretLargest;) {
    const ssize_t got = read(terminal, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == '\n') break;
    line += byte;
  }
  static_cast<void>(write(terminal, "\n", 1));
  return line;
}

base::Result<repo::Credential> ask_passphrase(const std::string& path, bool twice) {
  const base::Fd terminal(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal.valid()) {
    return base::fail(base::ErrorKind::kUsage,
                      "there is no terminal to ask for the passphrase of " + path +
                          "; name a file that has it with --passphrase-file, or a --key-file");
  }
  auto line = ask(terminal.get(), "Passphrase of " + path + ": ");
  if (!line) return std::unexpected(line.error());
  repo::Credential credential(model::SlotKind::kPassphrase, std::move(*line));
  if (twice) {
    auto again = ask(terminal.get(), "The same again: ");
    if (!again) return std::unexpected(again.error());
    const repo::Credential second(model::SlotKind::kPassphrase, std::move(*again));
    if (second.secret != credential.secret)
      return base::fail(base::ErrorKind::kUsage, "the two passphrases differ; nothing was made");
  }
  return credential;
}

base::Result<repo::Credential> secret_of_file(const std::string& file, model::SlotKind kind) {
  auto text = base::read_file(file.c_str(), kSecretLargest);
  if (!text) return std::unexpected(text.error());
  repo::Credential credential(kind, std::move(*text));
  if (const size_t end = credential.secret.find('\n'); end != std::string::npos)
    credential.secret.resize(end);
  if (credential.secret.empty())
    return base::fail(base::ErrorKind::kUsage, base::escape_for_terminal(file) + " is empty");
  return credential;
}

}  // namespace

base::Result<std::string> repository_path(const RepositoryOptions& options,
                                          const Context& context) {
  if (!options.repository.empty()) return options.repository;
  if (!context.repository.empty()) return context.repository;
  return base::fail(base::ErrorKind::kUsage,
                    "no repository was named; use --repo DIR, or set TWINPORT_REPO");
}

base::Result<repo::Credential> read_credential(const RepositoryOptions& options,
                                               const Context& context, bool twice) {
  if (!options.key_file.empty()) return secret_of_file(options.key_file, model::SlotKind::kKeyFile);
  const std::string& file =
      options.passphrase_file.empty() ? context.passphrase_file : options.passphrase_file;
  if (!file.empty()) return secret_of_file(file, model::SlotKind::kPassphrase);
  const auto path = repository_path(options, context);
  auto asked = ask_passphrase(base::escape_for_terminal(path.value_or("the repository")), twice);
  if (asked && asked->secret.empty())
    return base::fail(base::ErrorKind::kUsage, "an empty passphrase protects nothing");
  return asked;
}

base::Result<std::unique_ptr<disk::DirectoryStore>> open_store(const RepositoryOptions& options,
                                                               const Context& context) {
  const auto path = repository_path(options, context);
  if (!path) return std::unexpected(path.error());
  return disk::DirectoryStore::open(*path);
}

base::Result<OpenedRepository> open_repository(const RepositoryOptions& options,
                                               const Context& context) {
  auto store = open_store(options, context);
  if (!store) return std::unexpected(store.error());
  // Whether there is one at all comes before any question.
  if (const auto config = repo::read_config(**store); !config)
    return std::unexpected(config.error());
  const auto credential = read_credential(options, context);
  if (!credential) return std::unexpected(credential.error());
  OpenedRepository opened{.store = std::move(*store), .repository = nullptr};
  auto repository = repo::Repository::open(*opened.store, *credential);
  if (!repository) return std::unexpected(repository.error());
  opened.repository = std::move(*repository);
  return opened;
}

base::Result<repo::SnapshotObject> find_snapshot(const repo::Repository& repository,
                                                 const std::string& words) {
  const auto list = repository.snapshots();
  if (!list) return std::unexpected(list.error());
  if (words == "latest") {
    if (!list->damaged.empty()) {
      return base::fail(base::ErrorKind::kCorrupt,
                        "which snapshot is the latest cannot be told, since " +
                            base::escape_controls(list->damaged.front()) +
                            "; `twinport snapshots` lists those that are well: give the name of "
                            "one. `twinport repo repair` sets the damaged aside");
    }
    if (list->snapshots.empty())
      return base::fail(base::ErrorKind::kNotFound,
                        "there is no snapshot yet; `twinport backup` makes one");
    return list->snapshots.back();
  }
  std::vector<const repo::SnapshotObject*> found;
  for (const repo::SnapshotObject& object : list->snapshots) {
    if (words.size() >= kShortestName && model::to_hex(object.name.text()).starts_with(words))
      found.push_back(&object);
  }
  if (found.size() == 1) return *found.front();
  const std::string shown = base::escape_for_terminal(words);
  if (!found.empty()) {
    return base::fail(base::ErrorKind::kUsage,
                      "several snapshots begin with " + shown + "; give more digits");
  }
  return base::fail(base::ErrorKind::kNotFound,
                    "there is no snapshot " + shown +
                        "; `twinport snapshots` lists them, \"latest\" is the newest");
}

std::string short_name(const model::ChunkId& name) {
  return model::to_hex(name.text()).substr(0, kShortName);
}

unsigned worker_count() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace apps
