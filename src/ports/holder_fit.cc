#include "ports/holder_fit.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr size_t kNamesShown = 2;

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

std::string wanted_in_words(const std::vector<std::string>& wanted) {
  const auto names = each_in_words(wanted, name_in_words);
  return names.size() <= kNamesShown ? listed(names, "or")
                                     : "any of " + grouped(names.size()) + " others";
}

HolderFit no(std::string is, const std::vector<std::string>& wanted) {
  return {Fit::kNo, std::move(is) + ", not " + wanted_in_words(wanted)};
}

HolderFit unknown(std::string obstacle) { return {Fit::kUnknown, std::move(obstacle)}; }

HolderFit fit_exe(const model::HolderRule& rule, const SubjectHolder& holder) {
  if (holder.kernel) {
    return contains(rule.exes, model::kKernelExe) ? HolderFit{} : no("is no program", rule.exes);
  }
  if (!holder.exe) return unknown("its program's file could not be read");
  if (contains(rule.exes, *holder.exe)) {
    // A file of the same name in a container's file tree is another file.
    if (holder.exe_elsewhere && rule.containers.empty()) {
      return {Fit::kNo, "runs a " + name_in_words(*holder.exe) +
                            " of another file tree, and no container is named"};
    }
    return {};
  }
  if (holder.exe_as_called) {
    return unknown("it ended before its file could be read; it was started as " +
                   name_in_words(*holder.exe));
  }
  return no("runs " + name_in_words(*holder.exe), rule.exes);
}

HolderFit fit_unit(const model::HolderRule& rule, const SubjectHolder& holder) {
  if (holder.kernel) return no("is in no unit", rule.units);
  if (!holder.placed) return unknown("its unit could not be read");
  if (std::ranges::any_of(holder.units, [&](auto& unit) { return contains(rule.units, unit); })) {
    return {};
  }
  return no(holder.units.empty() ? "is in no unit"
                                 : "is in " + listed(each_in_words(holder.units, name_in_words)),
            rule.units);
}

HolderFit fit_package(const model::HolderRule& rule, const SubjectHolder& holder) {
  if (holder.kernel) return no("is of no package", rule.packages);
  if (!holder.package) return unknown("its package is not known");
  if (contains(rule.packages, *holder.package)) return {};
  return no(holder.package->empty() ? "is of no package"
                                    : "is of package " + name_in_words(*holder.package),
            rule.packages);
}

HolderFit fit_container(const model::HolderRule& rule, const SubjectHolder& holder) {
  if (!holder.placed && !holder.kernel) return unknown("its container could not be read");
  if (!holder.container.empty() && contains(rule.containers, holder.container)) return {};
  return no(holder.container.empty() ? "is in no container"
                                     : "is in container " + name_in_words(holder.container),
            rule.containers);
}

HolderFit fit_user(const model::HolderRule& rule, const SubjectHolder& holder) {
  if (holder.kernel) return no("is the kernel's", rule.users);
  if (!holder.uid) return unknown("its user could not be read");
  if (contains(rule.users, std::to_string(*holder.uid))) return {};
  if (!holder.user.empty()) {
    if (contains(rule.users, holder.user)) return {};
    return no("runs as " + name_in_words(holder.user), rule.users);
  }
  const bool numbers_only = std::ranges::all_of(
      rule.users, [](auto& user) { return base::parse_number<uint32_t>(user).has_value(); });
  if (!numbers_only) return unknown("the name of its user is not known");
  return no("runs as uid " + std::to_string(*holder.uid), rule.users);
}

}  // namespace

HolderFit fit_holder(const model::HolderRule& rule, const SubjectHolder& holder) {
  HolderFit out;
  const auto add = [&out](bool asked, auto fit_one) {
    if (!asked || out.fit == Fit::kNo) return;
    HolderFit one = fit_one();
    if (one.fit == Fit::kNo || out.fit == Fit::kYes) out = std::move(one);
  };
  add(!rule.exes.empty(), [&] { return fit_exe(rule, holder); });
  add(!rule.containers.empty(), [&] { return fit_container(rule, holder); });
  add(!rule.units.empty(), [&] { return fit_unit(rule, holder); });
  add(!rule.packages.empty(), [&] { return fit_package(rule, holder); });
  add(!rule.users.empty(), [&] { return fit_user(rule, holder); });
  return out;
}

}  // namespace ports
