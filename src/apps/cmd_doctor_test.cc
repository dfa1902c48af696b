#include "apps/cmd_doctor.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"

namespace apps {
namespace {

using model::BindOutcome;
using model::Family;
using model::IpAddress;
using model::Protocol;

class DoctorCommand : public ::testing::Test {
 protected:
  DoctorCommand() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.published = model::PublishedPorts{};
    twin.policy.known = true;
  }

  void take_data_port() {
    twin.processes.add(700, "webd").placement.unit = "webd.service";
    twin.sockets.listen(Protocol::kTcp, "127.0.0.1:1744");
    twin.sockets.hold(700, 3);
    const IpAddress loopback{.bytes = {127, 0, 0, 1}};
    twin.local_addresses = {loopback, IpAddress{.bytes = {10, 0, 0, 5}}};
    for (const IpAddress& address : {IpAddress::any(Family::kIpv4), loopback}) {
      twin.trials.push_back(
          {.at = {address, 1744}, .outcome = BindOutcome::kInUse, .error_number = EADDRINUSE});
    }
  }

  MachineTwin twin;
};

TEST_F(DoctorCommand, LooksAtItsOwnTwoPorts) {
  const auto answer = twin.run({"doctor"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_GOLDEN("cli/doctor-free.txt", answer.out);
}

TEST_F(DoctorCommand, SaysFirstWhatToDoThenWhoIsInTheWay) {
  take_data_port();
  const auto answer = twin.run({"doctor"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_GOLDEN("cli/doctor-taken.txt", answer.out);
  const auto json = twin.run({"doctor", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_GOLDEN("cli/doctor-taken.json", json.out);
}

TEST_F(DoctorCommand, TriesOnlyTheAddressAskedFor) {
  take_data_port();
  EXPECT_EQ(twin.run({"doctor", "10.0.0.5:1744"}).code, 0);
  EXPECT_EQ(twin.run({"doctor", "127.0.0.1:1744"}).code, 1);
}

TEST_F(DoctorCommand, RefusesWhatItCannotTry) {
  EXPECT_EQ(twin.run({"doctor", "53/udp"}).code, 2);
  EXPECT_EQ(twin.run({"doctor", "1-65535"}).code, 2);
  EXPECT_EQ(twin.run({"doctor", "0"}).code, 2);
  EXPECT_EQ(twin.run({"doctor", "no-such-service-anywhere"}).code, 2);
}

TEST_F(DoctorCommand, ReachesAPeerAtThePortsAskedForOrAtItsOwn) {
  for (const uint16_t port : std::initializer_list<uint16_t>{1743, 1744, 22}) {
    model::Probe probe;
    probe.to = {IpAddress{.bytes = {10, 0, 0, 9}}, port};
    probe.outcome = port == 1744 ? model::ProbeOutcome::kNoAnswer : model::ProbeOutcome::kOpen;
    probe.waited_ms = 3000;
    twin.peer.probes.push_back(probe);
  }
  const auto both = twin.run({"doctor", "--peer", "vault"});
  EXPECT_EQ(both.code, 1);
  EXPECT_GOLDEN("cli/doctor-peer.txt", both.out);
  EXPECT_EQ(twin.run({"doctor", "--peer", "vault:22"}).code, 0);
  EXPECT_EQ(twin.run({"doctor", "1743", "--peer", "[2001:db8::5]"}).code, 0);
  for (const char* wrong : {"", ":22", "vault:", "vault:0", "vault:x", "[::1", "a b"}) {
    EXPECT_EQ(twin.run({"doctor", "--peer", wrong}).code, 2) << wrong;
  }
  EXPECT_EQ(twin.run({"doctor", "--peer", "vault", "--timeout", "0"}).code, 2);
}

TEST_F(DoctorCommand, LooksForFallbackPortsOfTheProfileWhereTheDataPortIsAskedFor) {
  const auto narrow = twin.run({"doctor", "--profile", "windows"});
  EXPECT_NE(narrow.out.find("5 of 5 are free and nobody else's; data would take 1745 first."),
            std::string::npos)
      << narrow.out;
  EXPECT_EQ(twin.run({"doctor", "8080"}).out.find("Fallback"), std::string::npos);
  EXPECT_EQ(twin.run({"doctor", "--profile", "vms"}).code, 2);
}

TEST_F(DoctorCommand, RulesThatMayNotBeReadNeedAttention) {
  twin.caller_is_root = false;
  twin.published =
      base::fail(base::ErrorKind::kPermission, "ask for the packet filter's rules: not permitted");
  const auto answer = twin.run({"doctor", "1744"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_TRUE(answer.out.starts_with("Run this as root")) << answer.out;
}

}  // namespace
}  // namespace apps
