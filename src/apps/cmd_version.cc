#include "apps/cmd_version.h"

namespace apps {

int run_version(Context& context) {
  if (context.json) {
    base::JsonWriter json = context.begin_json("version");
    json.field("version", TWINPORT_VERSION);
    Context::end_json(json);
    return kDone;
  }
  context.out << "twinport " TWINPORT_VERSION "\n";
  return kDone;
}

}  // namespace apps
