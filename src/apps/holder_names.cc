#include "apps/holder_names.h"

namespace apps {
void HolderNames::complete(ports::Subject& subject) {
  for (ports::SubjectHolder& holder : subject.holders) {
    if (holder.exe_as_called && holder.exe) {
      const std::string file = machine_.processes().executable_behind(*holder.exe);
      if (!file.empty()) {
        holder.exe = file;
        holder.exe_as_called = false;
      }
    }
    if (holder.uid && holder.user.empty())
      holder.user = machine_.processes().traces(*holder.uid, 0).user;
  }
}

}  // namespace apps
