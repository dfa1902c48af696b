#include "format/cgroup_path.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"

namespace format {
namespace {

constexpr size_t kLongestUnitName = 255;  // UNIT_NAME_MAX of systemd
constexpr size_t kIdDigits = 64;          // an OCI container id: 256 bits in hexadecimal
constexpr size_t kShortIdDigits = 12;

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_container_id(std::string_view text) {
  return text.size() == kIdDigits && std::ranges::all_of(text, is_hex_digit);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

std::string_view next_component(std::string_view& path) {
  while (!path.empty()) {
    const std::string_view component = base::take_until(path, '/');
    // ".." leads out of the cgroup namespace that we look from; what follows is what counts.
    if (!component.empty() && component != "..") return component;
  }
  return {};
}

// systemd puts "_" before a name that the kernel might take for one of its own files.
std::string_view unescape_component(std::string_view component) {
  take_prefix(component, "_");
  return component;
}

bool is_unit_name(std::string_view name) {
  static constexpr std::array<std::string_view, 6> kTypes{".service", ".scope", ".slice",
                                                          ".socket",  ".mount", ".swap"};
  static constexpr std::string_view kPunctuation = ":-_.\\@";
  if (name.size() > kLongestUnitName) return false;
  const auto type = std::ranges::find_if(kTypes, [&](auto t) { return name.ends_with(t); });
  if (type == kTypes.end() || name.size() == type->size() || name.front() == '@') return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool is_slice(std::string_view component) {
  return component.ends_with(".slice") && is_unit_name(component);
}

// Takes the slices and the unit below them off the front of `path`; empty when the first component
// that is no slice is no unit either.
std::string_view take_unit(std::string_view& path) {
  for (;;) {
    const std::string_view before = path;
    const std::string_view component = next_component(path);
    const std::string_view name = unescape_component(component);
    if (is_slice(name)) continue;
    if (is_unit_name(name)) return name;
    path = before;
    return {};
  }
}

bool is_user_manager(std::string_view unit) {
  return take_prefix(unit, "user@") && take_suffix(unit, ".service") &&
         base::parse_number<uint32_t>(unit).has_value();
}

struct Container {
  std::string_view name;
  std::string_view runtime;
};

// "docker-ID.scope", "cri-containerd-ID.scope", "libpod-ID", ...: an OCI runtime's component. The
// monitors beside containers (conmon) carry the same id but are not in the container.
std::optional<Container> oci_container(std::string_view component) {
  // runc's systemd syntax, taken literally by a cgroupfs driver: "SLICE:PREFIX:ID".
  if (const size_t colon = component.rfind(':'); colon != std::string_view::npos) {
    const std::string_view id = component.substr(colon + 1);
    std::string_view rest = component.substr(0, colon);
    rest.remove_prefix(std::min(rest.find(':'), rest.size()));
    if (!is_container_id(id) || rest.empty()) return std::nullopt;
    if (rest == ":cri-containerd") return Container{id, "containerd"};
    if (rest == ":crio") return Container{id, "cri-o"};
    if (rest == ":docker") return Container{id, "docker"};
    return Container{id, {}};
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kPrefixes{{
      {"docker-", "docker"},
      {"libpod-payload-", "podman"},
      {"libpod-", "podman"},
      {"cri-containerd-", "containerd"},
      {"nerdctl-", "containerd"},
      {"crio-", "cri-o"},
  }};
  take_suffix(component, ".scope");
  for (const auto& [prefix, runtime] : kPrefixes) {
    std::string_view id = component;
    if (take_prefix(id, prefix) && is_container_id(id)) return Container{id, runtime};
  }
  return std::nullopt;
}

// The uid in "pod<uid>" (cgroupfs) or "kubepods-burstable-pod<uid>.slice" (systemd, where "_"
// stands for "-"): a UUID, or 32 hexadecimal digits for a pod from the kubelet's own files.
std::string pod_uid(std::string_view component, bool below_kubepods) {
  std::string_view text = component;
  if (take_suffix(text, ".slice")) {
    const size_t at = text.rfind("-pod");
    if (at == std::string_view::npos || text.find("kubepods") > at) return {};
    text.remove_prefix(at + 4);
  } else if (!below_kubepods || !take_prefix(text, "pod")) {
    return {};
  }
  std::string uid(text);
  std::ranges::replace(uid, '_', '-');
  const auto is_uuid = [&] {
    if (uid.size() != 36) return false;
    for (size_t i = 0; i < uid.size(); ++i) {
      const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
      if (dash ? uid[i] != '-' : !is_hex_digit(uid[i])) return false;
    }
    return true;
  };
  const bool is_hash = uid.size() == 32 && std::ranges::all_of(uid, is_hex_digit);
  return is_uuid() || is_hash ? uid : std::string();
}

// Undoes systemd's \xHH escapes, as a machine's name carries them inside its unit's name.
std::string unescape_unit_text(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.starts_with("\\x") && text.size() >= 4) {
      if (const auto byte = base::parse_number<uint8_t>(text.substr(2, 2), 16)) {
        out += static_cast<char>(*byte);
        text.remove_prefix(4);
        continue;
      }
    }
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

// Looks for system containers (LXC, nspawn), which are told by two components in a row. `rest` is
// the path after `component`; what belongs to the container's name is taken off it.
std::optional<std::pair<std::string, std::string_view>> system_container(std::string_view component,
                                                                         std::string_view& rest) {
  std::string_view after = rest;
  const std::string_view next = next_component(after);
  std::string_view name = component;
  if (take_prefix(name, "lxc.payload.") && !name.empty()) return {{std::string(name), "lxc"}};
  if ((component == "lxc" || component == "lxc.payload") && !next.empty()) {
    rest = after;
    // Proxmox VE keeps the inside of container 100 in "/lxc/100/ns".
    std::string_view below = after;
    if (next_component(below) == "ns") rest = below;
    return {{std::string(next), "lxc"}};
  }
  // nspawn itself is in ".../supervisor", what it contains in ".../payload".
  name = component;
  const bool nspawn = (take_prefix(name, "systemd-nspawn@") && take_suffix(name, ".service")) ||
                      (take_prefix(name, "machine-") && take_suffix(name, ".scope"));
  if (nspawn && !name.empty() && next == "payload") {
    rest = after;
    return {{unescape_unit_text(name), "nspawn"}};
  }
  return std::nullopt;
}

// Fills container, runtime, pod and container_unit from the outermost container of the path.
void find_container(std::string_view path, model::Placement& out) {
  bool below_kubepods = false;
  std::string_view parent;
  for (;;) {
    const std::string_view component = next_component(path);
    if (component.empty()) return;
    if (auto found = system_container(component, path)) {
      out.container = std::move(found->first);
      out.container_runtime = found->second;
      break;
    }
    std::optional<Container> found = oci_container(component);
    if (!found && is_container_id(component)) {
      found = Container{component, parent == "docker" ? "docker" : ""};
    }
    if (found) {
      out.container = found->name.substr(0, kShortIdDigits);
      out.container_runtime = found->runtime;
      // crun puts the program one level down.
      std::string_view below = path;
      if (next_component(below) == "container") path = below;
      break;
    }
    if (std::string uid = pod_uid(component, below_kubepods); !uid.empty()) {
      out.pod = std::move(uid);
    }
    if (component == "kubepods") below_kubepods = true;
    parent = component;
  }
  out.container_unit = take_unit(path);
}

}  // namespace

model::Placement parse_cgroup_path(std::string_view path) {
  model::Placement out;
  // What cgroup v2 appends for a cgroup that was removed under a dying process.
  take_suffix(path, " (deleted)");
  out.cgroup = path;
  find_container(path, out);
  // "lxc" may be the first component: then the units further down are the container's, not ours.
  out.unit = take_unit(path);
  if (is_user_manager(out.unit)) out.user_unit = take_unit(path);
  return out;
}

model::Placement parse_cgroup(std::string_view text) {
  std::optional<std::string_view> systemd;
  std::optional<std::string_view> unified;
  std::string_view lines = text;
  while (!lines.empty()) {
    std::string_view path = base::take_until(lines, '\n');
    const std::string_view hierarchy = base::take_until(path, ':');
    const std::string_view controllers = base::take_until(path, ':');
    if (!path.starts_with('/')) continue;
    if (controllers == "name=systemd") systemd = path;
    if (hierarchy == "0" && controllers.empty()) unified = path;
  }
  const bool systemd_is_used = systemd && *systemd != "/";
  model::Placement out;
  if (systemd_is_used || (systemd && !unified)) {
    out = parse_cgroup_path(*systemd);
  } else if (unified) {
    out = parse_cgroup_path(*unified);
  }
  // Without systemd, a container may show in the hierarchies of the v1 controllers only.
  for (lines = text; out.container.empty() && !lines.empty();) {
    std::string_view path = base::take_until(lines, '\n');
    base::take_until(path, ':');
    base::take_until(path, ':');
    if (!path.starts_with('/')) continue;
    model::Placement other = parse_cgroup_path(path);
    if (other.container.empty()) continue;
    other.unit = out.unit;
    other.user_unit = out.user_unit;
    if (!out.cgroup.empty() && out.cgroup != "/") other.cgroup = out.cgroup;
    out = std::move(other);
  }
  return out;
}

}  // namespace format
