// HolderNames: fills in what the recorder could not read of a process that ended too soon: the file
// behind the path that it was started as, and the name of its user. One thread.
#pragma once

#include "apps/machine.h"
#include "ports/subject.h"

namespace apps {

class HolderNames {
 public:
  explicit HolderNames(Machine& machine) : machine_(machine) {}
  void complete(ports::Subject& subject);

 private:
  Machine& machine_;
};

}  // namespace apps
