// data/known-uses.toml: our own table of what software really uses a port, as people write it. Read
// by the build only (tools/registry_gen.cc); the program carries the result.
//
//   [[use]]
//   ports = ["22", "1745-1844"]          # one or more
//   protocols = ["tcp"]                  # of "tcp", "udp", "sctp", "dccp"; one or more
//   software = "OpenSSH server"          # at most 60 bytes
//   service = "ssh"                      # the IANA service it implements, or ""
//   role = "remote shell"                # at most 40 bytes
//   direction = "inbound"                # or "outbound" or "both"
//   exes = ["sshd"]                      # base names or absolute paths
//   packages = ["openssh-server"]        # Debian packages
//   units = ["ssh.service"]              # systemd units
//   summary = "..."                      # at most 200 bytes
//   firewall = "..."                     # at most 240 bytes
//   profile = "unix"                     # or "windows"; left out where it makes no difference
//   source = "deb:openssh-server:/usr/share/man/man8/sshd.8.gz"
//            # or "rfc:4251" or "iana:22/tcp" or "doc:anchor"
//
// Every key but exes, packages, units and profile must be there once, and no other key may. The
// file is of the subset of TOML that format/toml_subset.h reads, and of plain ASCII: any bytes give
// uses or an error that names the line.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/registry_entry.h"

namespace format {

struct KnownUsesFile {
  std::vector<model::KnownUse> uses;  ///< in the order of the file; their text is in `owned_text`
  std::vector<size_t> lines;          ///< where each of them begins
  std::unique_ptr<std::deque<std::string>> owned_text = std::make_unique<std::deque<std::string>>();
};

base::Result<KnownUsesFile> parse_known_uses(std::string_view text);

}  // namespace format
