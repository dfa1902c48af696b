// EXPECT_GOLDEN: compares a whole output with a file under tests/golden. Tests only. Run the tests
// with TWINPORT_UPDATE_GOLDEN=1 to rewrite the files, then read the difference before committing.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace apps {

inline void expect_golden(const std::string& name, const std::string& actual, const char* file,
                          int line) {
  const std::string path = std::string(TWINPORT_SOURCE_DIR) + "/tests/golden/" + name;
  if (std::getenv("TWINPORT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
  }
  std::ifstream in(path, std::ios::binary);
  std::ostringstream expected;
  expected << in.rdbuf();
  const ::testing::ScopedTrace trace(file, line, path);
  EXPECT_TRUE(in.good()) << "cannot be read";
  EXPECT_EQ(actual, expected.str());
}

}  // namespace apps

#define EXPECT_GOLDEN(name, actual) ::apps::expect_golden(name, actual, __FILE__, __LINE__)
