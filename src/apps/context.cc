#include "apps/context.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/text.h"

namespace apps {
namespace {

constexpr unsigned kWidestText = 100;
constexpr unsigned kUsualWidth = 80;

}  // namespace

unsigned Context::text_width() const {
  return width == 0 ? kUsualWidth : std::min(width, kWidestText);
}

Machine& Context::machine() {
  if (!opened_machine) opened_machine = make_machine();
  return *opened_machine;
}

const ports::Registry& Context::registry() {
  if (!opened_registry) {
    std::string warning;
    opened_registry = std::make_shared<const ports::Registry>(
        ports::Registry::open_preferred(state_directory, &warning));
    if (!warning.empty()) warn(warning);
  }
  return *opened_registry;
}

const LoadedExpectations& Context::expectations() {
  if (!opened_expectations) {
    auto loaded = load_expectations(config_directory);
    // A directory that may not even be looked into, as root's home under `su`, holds none of ours.
    std::error_code unseen;
    static_cast<void>(std::filesystem::status(config_directory, unseen));
    if (!loaded && unseen != std::errc::permission_denied)
      warn(loaded.error().message + "; nothing is judged by expectations");
    opened_expectations = std::make_shared<const LoadedExpectations>(loaded ? std::move(*loaded)
                                                                            : LoadedExpectations{});
  }
  return *opened_expectations;
}

base::JsonWriter Context::begin_json(std::string_view command) {
  base::JsonWriter writer([this](std::string_view block) { out.write(block); });
  writer.begin_object().field("schema", kJsonSchema).field("command", command);
  return writer;
}

void Context::end_json(base::JsonWriter& writer) {
  writer.end_object();
  writer.finish();
}

int Context::fail(const base::Error& error) {
  out.flush();
  std::string text = error_style("twinport:", Tone::kBad);
  text += ' ';
  text += base::escape_controls(error.message);
  text += '\n';
  err << text;
  err.flush();
  return error.kind == base::ErrorKind::kUsage ? kUsage : kFailed;
}

void Context::warn(std::string_view message) {
  out.flush();
  std::string text = error_style("twinport: warning:", Tone::kWarning);
  text += ' ';
  text += base::escape_controls(message);
  text += '\n';
  err << text;
  err.flush();
}

}  // namespace apps
