// A directory for one test, gone with all that is in it at the end. In memory where the machine has
// a place for that: what a test does to files does not depend on a disk, only how long it takes.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace testkit {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    for (const std::filesystem::path parent : {"/dev/shm", "/tmp"}) {
      std::string pattern = parent / "twinport-test-XXXXXX";
      if (mkdtemp(pattern.data()) == nullptr) continue;
      path_ = pattern;
      return;
    }
    throw std::runtime_error("cannot make a temporary directory");
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace testkit
