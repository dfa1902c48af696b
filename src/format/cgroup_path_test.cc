#include "format/cgroup_path.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

const std::string kId = "4c01db0b339c8f9e7b2a6d5e4f3c2b1a0918273645546372819abcdef0123456";
const std::string kOtherId = "ffffffff339c8f9e7b2a6d5e4f3c2b1a0918273645546372819abcdef0123456";
const std::string kPod = "d2b0c1f4-6a5e-4f83-9a0b-1c2d3e4f5a6b";
const std::string kPodInSlice = "d2b0c1f4_6a5e_4f83_9a0b_1c2d3e4f5a6b";

struct Expected {
  std::string path;
  std::string unit = {};
  std::string user_unit = {};
  std::string container = {};
  std::string runtime = {};
  std::string pod = {};
  std::string container_unit = {};
};

void expect_placement(const Expected& expected) {
  SCOPED_TRACE(expected.path);
  const model::Placement placement = parse_cgroup_path(expected.path);
  EXPECT_EQ(placement.cgroup, expected.path);
  EXPECT_EQ(placement.unit, expected.unit);
  EXPECT_EQ(placement.user_unit, expected.user_unit);
  EXPECT_EQ(placement.container, expected.container);
  EXPECT_EQ(placement.container_runtime, expected.runtime);
  EXPECT_EQ(placement.pod, expected.pod);
  EXPECT_EQ(placement.container_unit, expected.container_unit);
}

TEST(CgroupPath, NamesSystemdUnits) {
  expect_placement({.path = "/system.slice/ssh.service", .unit = "ssh.service"});
  expect_placement({.path = "/init.scope", .unit = "init.scope"});
  expect_placement({.path = "/system.slice/system-getty.slice/getty@tty1.service",
                    .unit = "getty@tty1.service"});
  expect_placement({.path = "/system.slice/system-postgresql.slice/postgresql@15-main.service",
                    .unit = "postgresql@15-main.service"});
  expect_placement(
      {.path = "/user.slice/user-1000.slice/session-3.scope", .unit = "session-3.scope"});
  expect_placement({.path = "/system.slice/cups.socket", .unit = "cups.socket"});
  expect_placement(
      {.path = "/system.slice/run-r0123456789abcdef.scope", .unit = "run-r0123456789abcdef.scope"});
  expect_placement({.path = "/a.slice/a-b.slice/a-b-c.slice/web.service", .unit = "web.service"});
}

TEST(CgroupPath, KeepsEscapesThatAreThePartOfTheUnitsName) {
  // `systemctl status 'foo\x2dbar.service'` wants the name as it stands.
  expect_placement(
      {.path = R"(/system.slice/foo\x2dbar.service)", .unit = R"(foo\x2dbar.service)"});
  expect_placement(
      {.path = R"(/system.slice/system-systemd\x2dfsck.slice/systemd-fsck@dev-disk-a\x2db.service)",
       .unit = R"(systemd-fsck@dev-disk-a\x2db.service)"});
}

TEST(CgroupPath, DropsTheUnderscoreThatSystemdPutsBeforeKernelNames) {
  expect_placement({.path = "/system.slice/_cpu.service", .unit = "cpu.service"});
}

TEST(CgroupPath, FindsTheUnitAboveASubGroup) {
  expect_placement({.path = "/system.slice/foo.service/worker/3", .unit = "foo.service"});
  expect_placement({.path = "/system.slice/a.service/b.service", .unit = "a.service"});
}

TEST(CgroupPath, NamesUnitsOfUserManagers) {
  expect_placement({.path = "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
                    .unit = "user@1000.service",
                    .user_unit = "foo.service"});
  expect_placement({.path = "/user.slice/user-1000.slice/user@1000.service/init.scope",
                    .unit = "user@1000.service",
                    .user_unit = "init.scope"});
  expect_placement({.path = "/user.slice/user-1000.slice/user@1000.service/app.slice/"
                            R"(app-gnome-org.gnome.Terminal-1234.scope)",
                    .unit = "user@1000.service",
                    .user_unit = "app-gnome-org.gnome.Terminal-1234.scope"});
  expect_placement(
      {.path =
           R"(/user.slice/user-0.slice/user@0.service/app.slice/app-my\x2dapp.slice/x@1.service)",
       .unit = "user@0.service",
       .user_unit = "x@1.service"});
}

TEST(CgroupPath, SaysNothingOfAPathWithoutKnownLayout) {
  for (const char* path :
       {"/", "/system.slice", "/user.slice/user-1000.slice", "/foo/bar", "/openrc.sshd",
        "/process_api/0929b2e140b7f31e4b61eb31a1debd52", "/.service", "/@.service/x",
        "/system.slice/not a unit.service", "/system.slice/a\nb.service", "/docker", "/lxc",
        "/docker/short", "/system.slice/foo.timer", "/lxc.monitor.web", "/lxc.monitor/web"}) {
    expect_placement({.path = path});
  }
  const std::string too_long = "/" + std::string(300, 'a') + ".service";
  expect_placement({.path = too_long});
}

TEST(CgroupPath, NamesDockerContainersOfBothDrivers) {
  expect_placement({.path = "/system.slice/docker-" + kId + ".scope",
                    .unit = "docker-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "docker"});
  expect_placement({.path = "/docker/" + kId, .container = "4c01db0b339c", .runtime = "docker"});
  expect_placement(
      {.path = "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + kId + ".scope",
       .unit = "user@1000.service",
       .user_unit = "docker-" + kId + ".scope",
       .container = "4c01db0b339c",
       .runtime = "docker"});
}

TEST(CgroupPath, NamesNoRuntimeWhereOnlyAnIdStands) {
  // docker run --cgroup-parent=/jobs, Amazon ECS
  expect_placement({.path = "/jobs/" + kId, .container = "4c01db0b339c"});
  expect_placement({.path = "/ecs/2d0c3a6f1e5b4c7d8e9f/" + kId, .container = "4c01db0b339c"});
}

TEST(CgroupPath, NamesPodmanContainersButNotTheirMonitors) {
  expect_placement({.path = "/machine.slice/libpod-" + kId + ".scope/container",
                    .unit = "libpod-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "podman"});
  expect_placement(
      {.path = "/libpod_parent/libpod-" + kId, .container = "4c01db0b339c", .runtime = "podman"});
  expect_placement({.path = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" +
                            kId + ".scope/container",
                    .unit = "user@1000.service",
                    .user_unit = "libpod-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "podman"});
  // Quadlet
  expect_placement({.path = "/system.slice/web.service/libpod-payload-" + kId,
                    .unit = "web.service",
                    .container = "4c01db0b339c",
                    .runtime = "podman"});
  expect_placement({.path = "/machine.slice/libpod-conmon-" + kId + ".scope",
                    .unit = "libpod-conmon-" + kId + ".scope"});
  expect_placement({.path = "/system.slice/web.service/runtime", .unit = "web.service"});
  // A Podman pod is no Kubernetes pod.
  expect_placement(
      {.path = "/machine.slice/machine-libpod_pod_" + kOtherId + ".slice/libpod-" + kId + ".scope",
       .unit = "libpod-" + kId + ".scope",
       .container = "4c01db0b339c",
       .runtime = "podman"});
}

TEST(CgroupPath, NamesContainersAndPodsOfKubernetesWithTheSystemdDriver) {
  const std::string pod_slice =
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kPodInSlice + ".slice";
  expect_placement({.path = pod_slice + "/cri-containerd-" + kId + ".scope",
                    .unit = "cri-containerd-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "containerd",
                    .pod = kPod});
  expect_placement({.path = pod_slice + "/crio-" + kId + ".scope/container",
                    .unit = "crio-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "cri-o",
                    .pod = kPod});
  expect_placement({.path = pod_slice + "/docker-" + kId + ".scope",
                    .unit = "docker-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "docker",
                    .pod = kPod});
  expect_placement({.path = pod_slice + "/crio-conmon-" + kId + ".scope",
                    .unit = "crio-conmon-" + kId + ".scope",
                    .pod = kPod});
  // Guaranteed pods have no class in the path; pods of the kubelet's own files have a hash.
  expect_placement({.path = "/kubepods.slice/kubepods-pod" + kPodInSlice + ".slice", .pod = kPod});
  expect_placement({.path = "/kubepods.slice/kubepods-burstable.slice/"
                            "kubepods-burstable-pod6a1f0c9d8e7b5a4f3e2d1c0b9a8f7e6d.slice",
                    .pod = "6a1f0c9d8e7b5a4f3e2d1c0b9a8f7e6d"});
}

TEST(CgroupPath, NamesContainersAndPodsOfKubernetesWithTheCgroupfsDriver) {
  expect_placement({.path = "/kubepods/besteffort/pod" + kPod + "/" + kId,
                    .container = "4c01db0b339c",
                    .pod = kPod});
  expect_placement({.path = "/kubepods/pod" + kPod + "/crio-" + kId,
                    .container = "4c01db0b339c",
                    .runtime = "cri-o",
                    .pod = kPod});
  // runc was handed a systemd path but no systemd.
  expect_placement({.path = "/system.slice/containerd.service/kubepods-besteffort-pod" +
                            kPodInSlice + ".slice:cri-containerd:" + kId,
                    .unit = "containerd.service",
                    .container = "4c01db0b339c",
                    .runtime = "containerd"});
  expect_placement({.path = "/podkeeper/pod" + kPod});
  expect_placement({.path = "/kubepods/burstable/podium"});
}

TEST(CgroupPath, NamesContainerdContainersOfNerdctl) {
  expect_placement({.path = "/system.slice/nerdctl-" + kId + ".scope",
                    .unit = "nerdctl-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "containerd"});
}

TEST(CgroupPath, NamesSystemContainersAndTheUnitsInside) {
  expect_placement({.path = "/lxc.payload.web/system.slice/nginx.service",
                    .container = "web",
                    .runtime = "lxc",
                    .container_unit = "nginx.service"});
  expect_placement({.path = "/lxc.payload/web/init.scope",
                    .container = "web",
                    .runtime = "lxc",
                    .container_unit = "init.scope"});
  expect_placement({.path = "/lxc/web", .container = "web", .runtime = "lxc"});
  // Proxmox VE
  expect_placement({.path = "/lxc/100/ns/system.slice/postfix.service",
                    .container = "100",
                    .runtime = "lxc",
                    .container_unit = "postfix.service"});
  expect_placement(
      {.path = "/machine.slice/systemd-nspawn@build.service/payload/system.slice/cron.service",
       .unit = "systemd-nspawn@build.service",
       .container = "build",
       .runtime = "nspawn",
       .container_unit = "cron.service"});
  expect_placement({.path = R"(/machine.slice/machine-my\x2dbox.scope/payload/init.scope)",
                    .unit = R"(machine-my\x2dbox.scope)",
                    .container = "my-box",
                    .runtime = "nspawn",
                    .container_unit = "init.scope"});
}

TEST(CgroupPath, DoesNotTakeAVirtualMachineOrASupervisorForAContainer) {
  expect_placement({.path = R"(/machine.slice/machine-qemu\x2d1\x2dvm.scope/libvirt/emulator)",
                    .unit = R"(machine-qemu\x2d1\x2dvm.scope)"});
  expect_placement({.path = "/machine.slice/systemd-nspawn@build.service/supervisor",
                    .unit = "systemd-nspawn@build.service"});
}

TEST(CgroupPath, NamesTheOutermostContainer) {
  // What is inside was named by the container itself, which may lie.
  expect_placement({.path = "/docker/" + kId + "/docker/" + kOtherId,
                    .container = "4c01db0b339c",
                    .runtime = "docker"});
  expect_placement({.path = "/system.slice/docker-" + kId + ".scope/system.slice/ssh.service",
                    .unit = "docker-" + kId + ".scope",
                    .container = "4c01db0b339c",
                    .runtime = "docker",
                    .container_unit = "ssh.service"});
  // Kubernetes in Docker (kind): the pod belongs to the inner cluster.
  expect_placement(
      {.path = "/docker/" + kId + "/kubelet/kubepods/burstable/pod" + kPod + "/" + kOtherId,
       .container = "4c01db0b339c",
       .runtime = "docker"});
}

TEST(CgroupPath, LooksThroughTheEdgeOfACgroupNamespace) {
  expect_placement({.path = "/../../system.slice/ssh.service", .unit = "ssh.service"});
  expect_placement({.path = "/../" + kId, .container = "4c01db0b339c"});
}

TEST(CgroupPath, RefusesIdsOfTheWrongShape) {
  const std::string upper = "4C01DB0B339C8F9E7B2A6D5E4F3C2B1A0918273645546372819ABCDEF0123456";
  for (const std::string& id : {kId.substr(1), kId + "0", upper, std::string(64, 'g')}) {
    expect_placement({.path = "/docker/" + id});
    expect_placement({.path = "/x/docker-" + id + ".scope"});
    expect_placement({.path = "/x/a.slice:cri-containerd:" + id});
  }
  expect_placement({.path = "/x/:" + kId});
}

TEST(CgroupPath, DropsTheMarkOfARemovedCgroup) {
  const auto placement = parse_cgroup_path("/system.slice/foo.service (deleted)");
  EXPECT_EQ(placement.unit, "foo.service");
  EXPECT_EQ(placement.cgroup, "/system.slice/foo.service");
}

TEST(Cgroup, ReadsTheUnifiedHierarchy) {
  EXPECT_EQ(parse_cgroup("0::/system.slice/ssh.service\n").unit, "ssh.service");
}

TEST(Cgroup, ReadsVersionOne) {
  const auto placement = parse_cgroup(
      "12:pids:/system.slice/ssh.service\n"
      "11:cpu,cpuacct:/system.slice\n"
      "1:name=systemd:/system.slice/ssh.service\n");
  EXPECT_EQ(placement.unit, "ssh.service");
  EXPECT_EQ(placement.cgroup, "/system.slice/ssh.service");
}

TEST(Cgroup, ReadsTheHybridLayout) {
  const auto placement = parse_cgroup(
      "5:memory:/user.slice\n"
      "1:name=systemd:/user.slice/user-1000.slice/session-2.scope\n"
      "0::/user.slice/user-1000.slice/session-2.scope\n");
  EXPECT_EQ(placement.unit, "session-2.scope");
}

TEST(Cgroup, PrefersTheHierarchyThatSaysSomething) {
  EXPECT_EQ(parse_cgroup("1:name=systemd:/\n0::/system.slice/a.service\n").unit, "a.service");
  EXPECT_EQ(parse_cgroup("1:name=systemd:/system.slice/a.service\n0::/\n").unit, "a.service");
}

TEST(Cgroup, FindsAContainerThatOnlyControllersShow) {
  const auto placement = parse_cgroup("4:memory:/docker/" + kId + "\n1:name=systemd:/\n0::/\n");
  EXPECT_EQ(placement.container, "4c01db0b339c");
  EXPECT_EQ(placement.container_runtime, "docker");
  EXPECT_EQ(placement.cgroup, "/docker/" + kId);
  EXPECT_EQ(placement.unit, "");
}

TEST(Cgroup, AContainersControllerPathDoesNotHideTheUnit) {
  const auto placement =
      parse_cgroup("4:memory:/docker/" + kId + "\n1:name=systemd:/system.slice/docker.service\n");
  EXPECT_EQ(placement.unit, "docker.service");
  EXPECT_EQ(placement.container, "4c01db0b339c");
  EXPECT_EQ(placement.cgroup, "/system.slice/docker.service");
}

TEST(Cgroup, TakesColonsInPaths) {
  EXPECT_EQ(parse_cgroup("0::/system.slice/app:a@b:c.service\n").unit, "app:a@b:c.service");
}

TEST(Cgroup, SaysNothingOfTextWithoutPaths) {
  for (const char* text : {"", "\n", "0::", "0:/x", "::::", "nonsense", "0::relative.service\n"}) {
    const auto placement = parse_cgroup(text);
    EXPECT_EQ(placement.cgroup, "") << text;
    EXPECT_EQ(placement.unit, "") << text;
  }
}

TEST(Cgroup, OfAProcessInTheRootIsTheRoot) {
  EXPECT_EQ(parse_cgroup("9:name=systemd:/\n8:pids:/\n0::/\n").cgroup, "/");
}

}  // namespace
}  // namespace format
