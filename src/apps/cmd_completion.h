// twinport completion: scripts that let a shell complete our command lines, made from the
// definitions of the commands, so that they cannot lag behind them.
#pragma once

#include <string>

#include "apps/context.h"

namespace apps {

struct CompletionOptions {
  std::string shell;  ///< "bash", "zsh" or "fish"
};

int run_completion(const CompletionOptions& options, Context& context);

}  // namespace apps
