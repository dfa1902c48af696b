#include "host/net_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "testkit/private_network.h"

namespace {

/// The number of the caller's network namespace, as the kernel's link spells it.
std::string own_link() {
  char target[64];
  const ssize_t length = ::readlink("/proc/thread-self/ns/net", target, sizeof(target));
  return length > 0 ? std::string(target, static_cast<size_t>(length)) : std::string();
}

std::string link_of(const host::NamespaceRef& ref) {
  return "net:[" + std::to_string(ref.inode) + "]";
}

std::string unshare_network() { return ::unshare(CLONE_NEWNET) == 0 ? own_link() : std::string(); }

const host::NamespaceRef* find(const host::NamespaceList& list, const std::string& link) {
  const auto at = std::ranges::find(list.namespaces, link, link_of);
  return at == list.namespaces.end() ? nullptr : &*at;
}

TEST(NetNamespaces, PutsOurOwnFirst) {
  const auto found = host::find_net_namespaces();
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_FALSE(found->namespaces.empty());
  EXPECT_TRUE(found->namespaces[0].own);
  EXPECT_EQ(link_of(found->namespaces[0]), own_link());
  EXPECT_EQ(std::ranges::count(found->namespaces, true, &host::NamespaceRef::own), 1);
}

TEST(NetNamespaces, FindsThatOfAnotherProcessAndEntersIt) {
  const testkit::StandingChild child(unshare_network);
  if (child.report().empty()) GTEST_SKIP() << "a network namespace of its own takes root";
  const auto found = host::find_net_namespaces();
  ASSERT_TRUE(found.has_value());
  const host::NamespaceRef* ref = find(*found, child.report());
  ASSERT_NE(ref, nullptr);
  EXPECT_FALSE(ref->own);
  EXPECT_EQ(ref->pids, std::vector<int32_t>{child.pid()});
  const auto fd = host::open_net_namespace(*ref);
  ASSERT_TRUE(fd.has_value());
  std::string seen;
  const auto entered = host::run_in_net_namespace(fd->get(), [&] {
    seen = own_link();
    return base::Result<void>();
  });
  ASSERT_TRUE(entered.has_value()) << entered.error().message;
  EXPECT_EQ(seen, child.report());
  EXPECT_NE(own_link(), child.report()) << "the calling thread must stay where it is";
}

TEST(NetNamespaces, FindsThatOfAProcessWhoseFirstThreadHasEnded) {
  const testkit::StandingChild child(unshare_network, testkit::StandingChild::Leader::kEnds);
  if (child.report().empty()) GTEST_SKIP() << "a network namespace of its own takes root";
  const auto found = host::find_net_namespaces();
  ASSERT_TRUE(found.has_value());
  const host::NamespaceRef* ref = find(*found, child.report());
  ASSERT_NE(ref, nullptr);
  EXPECT_TRUE(host::open_net_namespace(*ref).has_value());
}

TEST(NetNamespaces, FindsANamedOneWithoutAnyProcess) {
  // In a mount namespace of a child's own, so that the machine's /run stays as it is.
  const std::string outcome = testkit::run_in_child([]() -> std::string {
    if (::unshare(CLONE_NEWNS) != 0) return "skip";
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("none", "/run", "tmpfs", 0, nullptr) != 0) return "skip";
    ::mkdir("/run/netns", 0755);
    ::close(::open("/run/netns/blue", O_CREAT | O_WRONLY, 0444));
    ::close(::open("/run/netns/unmounted", O_CREAT | O_WRONLY, 0444));
    const std::string made = testkit::run_in_child([]() -> std::string {
      if (::unshare(CLONE_NEWNET) != 0) return "";
      if (::mount("/proc/self/ns/net", "/run/netns/blue", nullptr, MS_BIND, nullptr) != 0)
        return "";
      return own_link();
    });
    if (made.empty()) return "skip";
    const auto found = host::find_net_namespaces();
    if (!found) return found.error().message;
    const host::NamespaceRef* ref = find(*found, made);
    if (ref == nullptr) return "not found";
    if (ref->name != "blue" || !ref->pids.empty()) return "found as " + ref->name;
    const auto fd = host::open_net_namespace(*ref);
    if (!fd) return fd.error().message;
    if (std::ranges::find(found->namespaces, "unmounted", &host::NamespaceRef::name) !=
        found->namespaces.end()) {
      return "took a plain file for a namespace";
    }
    return "found";
  });
  if (outcome == "skip") GTEST_SKIP() << "mounting takes root";
  EXPECT_EQ(outcome, "found");
}

TEST(NetNamespaces, RefusesANumberThatMeansAnotherByNow) {
  host::NamespaceRef ref;
  ref.inode = 1;
  ref.pids = {::getpid()};
  const auto fd = host::open_net_namespace(ref);
  ASSERT_FALSE(fd.has_value());
  EXPECT_EQ(fd.error().kind, base::ErrorKind::kNotFound);
}

TEST(NetNamespaces, SaysWhichRightIsMissing) {
  const std::string message = testkit::run_in_child([]() -> std::string {
    const auto own = host::own_net_namespace();
    const auto fd = host::open_net_namespace(*own);
    if (!fd || !testkit::become_nobody()) return "skip";
    const auto entered = host::run_in_net_namespace(fd->get(), [] { return base::Result<void>(); });
    return entered ? "entered" : entered.error().message;
  });
  if (message == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_NE(message.find("CAP_SYS_ADMIN"), std::string::npos) << message;
}

TEST(NetNamespaces, CountsProcessesThatMayNotBeLookedAt) {
  const testkit::StandingChild child([]() -> std::string { return "here"; });
  const std::string hidden = testkit::run_in_child([]() -> std::string {
    if (!testkit::become_nobody()) return "skip";
    const auto found = host::find_net_namespaces();
    if (!found || found->processes_hidden == 0) return "overlooked";
    return found->hidden_pids.empty() ? "not named" : "counted";
  });
  if (hidden == "skip") GTEST_SKIP() << "giving up rights takes having some";
  EXPECT_EQ(hidden, "counted");
}

}  // namespace
