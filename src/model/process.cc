#include "model/process.h"

namespace model {

std::string_view script_kind_name(ScriptKind kind) {
  switch (kind) {
    case ScriptKind::kNone:
      return {};
    case ScriptKind::kFile:
      return "file";
    case ScriptKind::kModule:
      return "module";
    case ScriptKind::kInline:
      return "inline";
  }
  return {};
}

}  // namespace model
