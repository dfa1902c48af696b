// SmallWorld: a machine with a few sockets and processes, and the inventory that a look at it
// gives. For tests of the domain, which never asks where an inventory came from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/inventory.h"
#include "testkit/fake_process_source.h"
#include "testkit/fake_socket_source.h"

namespace testkit {

class SmallWorld {
 public:
  FakeSocketSource sockets;
  FakeProcessSource processes;
  std::map<std::string, std::string> packages;  ///< by exe
  std::vector<model::PublishedPort> published;

  /// Aborts when the fake source was told to fail.
  [[nodiscard]] model::Inventory look();
};

}  // namespace testkit
