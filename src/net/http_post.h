// One HTTP POST, over TLS where the address says https: what delivers a webhook. It verifies the
// other side's certificate and name, follows no redirect, and reads no more than the status. Any
// thread; blocks for as long as it is told.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "format/http_url.h"
#include "net/name_resolver.h"

namespace net {

struct HttpPost {
  format::HttpUrl url;
  std::vector<std::pair<std::string, std::string>> headers;  ///< besides the usual ones
  std::string body;
  std::string ca_file;      ///< who may vouch for the other side; "" = the system's list
  int timeout_ms = 10'000;  ///< for all of it, with looking up the host
  /// Asked every now and then; true ends it with an error.
  std::function<bool()> given_up = [] { return false; };
  NameResolver resolver{};  ///< shared by posts that follow each other
};

/// The status that the other side answered. An error says how far it came.
base::Result<int> http_post(const HttpPost& post);

}  // namespace net
