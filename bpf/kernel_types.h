// The few fields of kernel structures that our programs read. Each access is relocated against the
// running kernel's BTF when a program is loaded, so only names and types matter here, not layout.
// For BPF programs alone.
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262
#define SHUTDOWN_MASK 3
#define INET_FLAGS_TRANSPARENT 15
#define NETNS_BPF_SK_LOOKUP 1
#define TCP_SYN_SENT 2
#define TCP_TIME_WAIT 6
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct {
  __s64 counter;
} atomic64_t;

typedef struct {
  atomic_t refs;
} refcount_t;

typedef struct {
  __u32 val;
} kuid_t;

struct timespec64 {
  long long tv_sec;
  long tv_nsec;
};

struct timens_offsets {
  struct timespec64 boottime;
};

struct time_namespace {
  struct timens_offsets offsets;
};

struct ns_common {
  unsigned int inum;
};

struct bpf_prog_array;

struct netns_bpf {
  struct bpf_prog_array* run_array[2];  // by enum netns_bpf_attach_type
};

struct net {
  struct ns_common ns;
  struct netns_bpf bpf;
};

struct nsproxy {
  struct net* net_ns;
  struct time_namespace* time_ns;
};

struct upid {
  int nr;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct signal_struct {
  atomic_t live;
};

struct cred {
  kuid_t euid;
};

struct task_struct {
  unsigned int flags;
  int pid;
  int tgid;
  struct task_struct* real_parent;
  struct signal_struct* signal;
  const struct cred* cred;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct nsproxy* nsproxy;
  __u64 start_boottime;
  char comm[16];
};

struct inode {
  unsigned long i_ino;
};

typedef struct {
  struct net* net;
} possible_net_t;

struct in6_addr {
  union {
    __u8 u6_addr8[16];
  } in6_u;
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  unsigned char skc_reuseport : 1;
  unsigned char skc_ipv6only : 1;
  int skc_bound_dev_if;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
};

struct socket;
struct cgroup;
struct bpf_local_storage;

struct sock_cgroup_data {
  struct cgroup* cgroup;
};

struct sock {
  struct sock_common __sk_common;
  struct {
    atomic_t rmem_alloc;
  } sk_backlog;
  refcount_t sk_wmem_alloc;
  struct socket* sk_socket;
  kuid_t sk_uid;
  __u16 sk_protocol;
  __u16 sk_type;
  __u8 sk_kern_sock : 1;
  __u8 sk_shutdown;
  int sk_err;
  __u32 sk_ack_backlog;
  __u32 sk_max_ack_backlog;
  struct sock_cgroup_data sk_cgrp_data;
  struct bpf_local_storage* sk_bpf_storage;
};

struct inet_sock {
  unsigned long inet_flags;       // since Linux 6.6
  unsigned char transparent : 1;  // before
};

struct inet_bind_bucket;

struct inet_connection_sock {
  struct inet_bind_bucket* icsk_bind_hash;
};

struct inet_timewait_sock {
  struct sock_common __tw_common;
  volatile unsigned char tw_substate;
};

struct file;

struct socket {
  struct file* file;
  struct sock* sk;
};

struct socket_alloc {
  struct socket socket;
  struct inode vfs_inode;
};

struct tcp_sock {
  __u32 rcv_nxt;
  __u32 copied_seq;
  __u32 snd_una;
  __u32 write_seq;
  __u32 snd_nxt;
  __u64 bytes_sent;
  __u64 bytes_retrans;
  __u64 bytes_received;
  __u32 srtt_us;
  __u32 total_retrans;
  bool is_mptcp;
};

struct udp_sock {
  int forward_deficit;
};

struct mptcp_sock {
  struct sock* first;
};

struct net_device {
  possible_net_t nd_net;
};

struct sk_buff {
  struct net_device* dev;
  unsigned char* head;
  __u16 transport_header;
  __u16 network_header;
};

struct linux_binprm {
  const char* filename;
};

#pragma clang attribute pop

// What the programs are called with. This is the kernel's interface to BPF programs, eight bytes a
// member, so nothing needs relocation.
struct seq_file;

struct bpf_iter_meta {
  struct seq_file* seq;
};

struct bpf_iter__task_file {
  struct bpf_iter_meta* meta;
  struct task_struct* task;
  __u32 fd;
  struct file* file;
};

struct bpf_iter__tcp {
  struct bpf_iter_meta* meta;
  struct sock_common* sk_common;
};

struct bpf_iter__udp {
  struct bpf_iter_meta* meta;
  struct udp_sock* udp_sk;
};
