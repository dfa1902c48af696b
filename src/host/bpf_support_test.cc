#include "host/bpf_support.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace {

host::BpfSupport able() {
  host::BpfSupport support;
  support.kernel_release = "6.1.0-13-amd64";
  support.kernel_major = 6;
  support.kernel_minor = 1;
  return support;
}

TEST(BpfSupport, NamesTheCapabilitiesThatAreMissing) {
  host::BpfSupport support = able();
  support.can_read_kernel = false;
  auto error = host::explain_bpf_failure(EPERM, support);
  EXPECT_EQ(error.kind, base::ErrorKind::kPermission);
  EXPECT_EQ(error.message, "load BPF programs: CAP_PERFMON is missing (run as root)");
  support.can_use_bpf = false;
  error = host::explain_bpf_failure(EPERM, support);
  EXPECT_EQ(error.message, "load BPF programs: CAP_BPF and CAP_PERFMON are missing (run as root)");
}

TEST(BpfSupport, SaysThatTheKernelIsTooOldBeforeAnythingElse) {
  host::BpfSupport support = able();
  support.kernel_release = "5.10.0-26-amd64";
  support.kernel_major = 5;
  support.kernel_minor = 10;
  support.can_use_bpf = false;
  const auto error = host::explain_bpf_failure(EINVAL, support);
  EXPECT_EQ(error.kind, base::ErrorKind::kUnsupported);
  EXPECT_NE(error.message.find("5.10.0-26-amd64 is too old"), std::string::npos);
}

TEST(BpfSupport, TellsMissingTypesLockdownUserNamespaceAndFilterApart) {
  host::BpfSupport no_types = able();
  no_types.has_kernel_types = false;
  host::BpfSupport locked = able();
  locked.locked_down = true;
  host::BpfSupport nested = able();
  nested.in_user_namespace = true;
  host::BpfSupport filtered = able();
  filtered.system_calls_filtered = true;
  EXPECT_NE(host::explain_bpf_failure(ENOENT, no_types).message.find("btf"), std::string::npos);
  EXPECT_NE(host::explain_bpf_failure(EINVAL, locked).message.find("locked"), std::string::npos);
  EXPECT_NE(host::explain_bpf_failure(EPERM, nested).message.find("user namespace"),
            std::string::npos);
  EXPECT_NE(host::explain_bpf_failure(EPERM, filtered).message.find("seccomp"), std::string::npos);
  EXPECT_NE(host::explain_bpf_failure(EPERM, able()).message.find("security module"),
            std::string::npos);
}

TEST(BpfSupport, AsksForAReportWhenTheVerifierRefuses) {
  const auto error = host::explain_bpf_failure(EACCES, able());
  EXPECT_EQ(error.kind, base::ErrorKind::kUnsupported);
  EXPECT_NE(error.message.find("6.1.0-13-amd64"), std::string::npos);
}

TEST(BpfSupport, QuotesAnErrorThatNothingExplains) {
  const auto error = host::explain_bpf_failure(ENOMEM, able());
  EXPECT_EQ(error.kind, base::ErrorKind::kIo);
  EXPECT_NE(error.message.find("Cannot allocate memory"), std::string::npos);
}

TEST(BpfSupport, ReadsThisMachine) {
  const host::BpfSupport support = host::read_bpf_support();
  EXPECT_FALSE(support.kernel_release.empty());
  EXPECT_GT(support.kernel_major, 3);
}

}  // namespace
