#include "apps/alert_desk.h"

#include <gtest/gtest.h>

#include "apps/machine_twin.h"
#include "base/file.h"
#include "testkit/temporary_directory.h"

namespace apps {
namespace {

/// Whole runs of `record` and `alerts` over a machine held in memory.
class Desk : public ::testing::Test {
 protected:
  Desk() {
    twin.published = model::PublishedPorts{};
    twin.processes.add(20, "nc").exe = "/tmp/nc";
    write("expectations.toml",
          "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\npresence = \"sometimes\"\n");
  }

  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(base::make_directories(folder.path() + "/config"));
    ASSERT_TRUE(base::replace_file(folder.path() + "/config/" + name, text));
  }
  void listen(uint16_t port) {
    model::SocketEvent event;
    event.kind = model::SocketEventKind::kListening;
    event.cookie = port;
    event.time_ns = event.created_ns = twin.boot_ns;
    event.netns = twin.sockets.raw.namespaces.at(0).inode;
    event.local = {model::IpAddress{}, port};
    event.actor.pid = 20;
    event.actor.command = {'n', 'c'};
    twin.events.waiting.emplace_back(event);
  }
  MachineTwin::Answer run(std::vector<std::string> words) {
    words.insert(words.end(),
                 {"--config", folder.path() + "/config", "--state", folder.path() + "/state"});
    return twin.run(words);
  }
  static size_t count(const std::string& text, const std::string& wanted) {
    size_t out = 0;
    for (size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; ++at) ++out;
    return out;
  }

  testkit::TemporaryDirectory folder;
  MachineTwin twin;
};

TEST_F(Desk, RecordTellsWhatIsNewOnce) {
  EXPECT_EQ(run({"alerts"}).out, "No alert was told.\n");
  listen(4444);
  const auto first = run({"record", "--for", "60s"});
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(count(first.out,
                  " alert unexpected-listener: no expectation names 4444/tcp, which nc "
                  "(pid 20) holds open to every address of this machine; it runs /tmp/nc "
                  "as root\n"),
            1U)
      << first.out;
  EXPECT_NE(first.out.find("alert was told; `twinport alerts` lists them."), std::string::npos)
      << first.out;
  listen(4444);
  listen(22);
  EXPECT_EQ(count(run({"record", "--for", "60s"}).out, " alert "), 0U);
  listen(4445);
  EXPECT_EQ(count(run({"record", "--for", "60s"}).out, " alert "), 1U);

  const auto alerts = run({"alerts"});
  EXPECT_EQ(alerts.code, 0);
  EXPECT_LT(alerts.out.find("4445/tcp"), alerts.out.find("4444/tcp")) << alerts.out;
  const auto one = run({"alerts", "--limit", "1", "--json"});
  EXPECT_NE(one.out.find("\"more\":1"), std::string::npos) << one.out;
  EXPECT_NE(one.out.find("\"rule\":\"unexpected-listener\""), std::string::npos);
  EXPECT_EQ(run({"alerts", "--rule", "impostor"}).out, "No alert was told.\n");
  EXPECT_EQ(run({"alerts", "--rule", "imposter"}).code, 2);
  EXPECT_EQ(run({"alerts", "--since", "soon"}).code, 2);
}

TEST_F(Desk, RecordAloneTellsNothing) {
  listen(4444);
  EXPECT_EQ(count(run({"record", "--for", "60s", "--no-alerts"}).out, " alert "), 0U);
}

TEST_F(Desk, WithJsonStandardOutputIsOneDocument) {
  listen(4444);
  const auto answer = run({"record", "--for", "60s", "--json"});
  EXPECT_TRUE(answer.out.starts_with("{")) << answer.out;
  EXPECT_NE(answer.out.find("\"alerts\":1"), std::string::npos) << answer.out;
  EXPECT_EQ(count(answer.err, " alert unexpected-listener"), 1U);
}

TEST_F(Desk, AFaultInTheConfigurationStopsNothing) {
  write("alerts.toml", "[[sink]]\nkind = \"pigeon\"\n");
  listen(4444);
  const auto answer = run({"record", "--for", "60s"});
  EXPECT_NE(answer.err.find("alerts.toml: line 2: kind is none of"), std::string::npos)
      << answer.err;
  EXPECT_EQ(count(answer.out, " alert "), 1U);
}

TEST_F(Desk, KeepsWhatIsMutedToItself) {
  write("alerts.toml", "[[mute]]\nfrom = \"2000-01-01 00:00\"\nuntil = \"2100-01-01 00:00\"\n");
  listen(4444);
  EXPECT_EQ(count(run({"record", "--for", "60s"}).out, " alert "), 0U);
  write("alerts.toml", "[[mute]]\nfrom = \"soon\"\nuntil = \"later\"\n");
  EXPECT_NE(run({"record", "--for", "1s"}).err.find("alerts.toml: line 1: "), std::string::npos);
}

TEST_F(Desk, TakesUpExpectationsThatChangeMeanwhile) {
  int waits = 0;
  twin.on_wait = [&] {
    if (++waits == 10) {
      write("expectations.toml",
            "[[expect]]\nprotocol = \"tcp\"\nport = [22, 4444]\n"
            "scope = \"any\"\npresence = \"sometimes\"\n");
    }
    if (waits == 500) listen(4444);
    if (waits == 625) write("expectations.toml", "");
    if (waits == 1000) listen(22);
    return false;
  };
  const auto answer = run({"record", "--for", "60s"});
  EXPECT_EQ(count(answer.out, "no expectation names 22/tcp"), 1U) << answer.out;
  EXPECT_LE(count(answer.out, "no expectation names 4444/tcp"), 1U) << answer.out;
}

TEST_F(Desk, QueuesForSinksThatAreNotThere) {
  write("alerts.toml",
        "[[sink]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\nsecret_file = \"/none\"\n");
  listen(4444);
  const auto answer = run({"record", "--for", "60s"});
  EXPECT_EQ(count(answer.out, " alert "), 0U);
  const disk::AlertStore store(folder.path() + "/state");
  ASSERT_EQ(store.names("webhook").size(), 1U);
  EXPECT_NE(store.get("webhook", store.names("webhook")[0])->find("\"about\":\"4444/tcp\""),
            std::string::npos);
}

}  // namespace
}  // namespace apps
