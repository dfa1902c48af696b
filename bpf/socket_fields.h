// From kernel structures to a socket_record: shared by the programs that walk descriptors and
// tables. For BPF programs alone.
#pragma once

#include <bpf/bpf_endian.h>

#include "kernel_types.h"
#include "socket_record.h"

// Whether Twinport accounts for this kind of socket, and it has an address of its own already. A
// socket that was never bound has no port to account for.
static __always_inline bool is_accounted(struct sock* sk) {
  const __u16 family = sk->__sk_common.skc_family;
  if (family != AF_INET && family != AF_INET6) return false;
  if (sk->__sk_common.skc_num == 0) return false;
  const __u16 protocol = sk->sk_protocol;
  return sk->sk_type == SOCK_RAW || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
         protocol == IPPROTO_MPTCP || protocol == IPPROTO_UDPLITE;
}

// The task that reads the stream, which is the current one: it decides by which numbers processes
// go and from when their time counts. User space clears `is_known` before each pass.
struct {
  __u32 pid_level;
  __u32 netns;
  __s64 boottime_offset_ns;
  bool is_known;
} reader = {};

// What is true of every descriptor of one thread: worked out once, since they come one after
// another.
struct {
  __u64 task_start;
  int task_tgid;
  int task_pid;
  __u32 tgid;
  __u32 tid;
  __u64 start_time_ns;
  char command[16];
} last_holder = {};

// BPF_CORE_READ rather than plain pointers, here and below: for each pointer that is loaded through
// one that it trusts, the verifier searches all of the kernel's types several times, and that would
// take most of the time that loading a program takes.
static __always_inline void learn_reader(void) {
  if (reader.is_known) return;
  struct task_struct* task = (struct task_struct*)bpf_get_current_task();
  reader.pid_level = BPF_CORE_READ(task, thread_pid, level);
  reader.netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
  if (bpf_core_field_exists(struct time_namespace, offsets)) {
    struct time_namespace* time = BPF_CORE_READ(task, nsproxy, time_ns);
    reader.boottime_offset_ns = BPF_CORE_READ(time, offsets.boottime.tv_sec) * 1000000000LL +
                                BPF_CORE_READ(time, offsets.boottime.tv_nsec);
  }
  last_holder.task_pid = 0;
  reader.is_known = true;
}

// The number by which `pid` goes in the PID namespace at this level. The kernel keeps one number
// for each level in an array at the end of struct pid.
static __always_inline __u32 number_at(struct pid* pid, __u32 level) {
  const void* numbers = (const void*)pid + bpf_core_field_offset(struct pid, numbers);
  int number = 0;
  bpf_probe_read_kernel(
      &number, sizeof number,
      numbers + level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
  return number;
}

static __always_inline void learn_holder(struct task_struct* task) {
  struct task_struct* leader = BPF_CORE_READ(task, group_leader);
  last_holder.task_start = task->start_boottime;
  last_holder.task_tgid = task->tgid;
  last_holder.task_pid = task->pid;
  if (reader.pid_level == 0) {
    last_holder.tgid = task->tgid;
    last_holder.tid = task->pid;
  } else {
    last_holder.tgid = number_at(BPF_CORE_READ(leader, thread_pid), reader.pid_level);
    last_holder.tid = number_at(BPF_CORE_READ(task, thread_pid), reader.pid_level);
  }
  last_holder.start_time_ns = BPF_CORE_READ(leader, start_boottime) + reader.boottime_offset_ns;
  BPF_CORE_READ_INTO(&last_holder.command, leader, comm);
}

static __always_inline void fill_holder(struct socket_record* record, struct task_struct* task,
                                        __u32 fd) {
  if (last_holder.task_pid != task->pid || last_holder.task_tgid != task->tgid ||
      last_holder.task_start != task->start_boottime) {
    learn_holder(task);
  }
  record->tgid = last_holder.tgid;
  record->tid = last_holder.tid;
  record->fd = fd;
  record->start_time_ns = last_holder.start_time_ns;
  __builtin_memcpy(record->command, last_holder.command, sizeof record->command);
}

// A socket and its inode are parts of one struct socket_alloc.
static __always_inline __u64 inode_of(struct socket* socket) {
  const void* whole = (const void*)socket - bpf_core_field_offset(struct socket_alloc, socket);
  return BPF_CORE_READ((const struct socket_alloc*)whole, vfs_inode.i_ino);
}

// What every kind of TCP and UDP socket has, half-made and half-dead ones too.
static __always_inline void fill_common(struct socket_facts* facts, struct sock_common* common) {
  facts->interface = common->skc_bound_dev_if;
  facts->family = common->skc_family;
  facts->state = common->skc_state;
  facts->local_port = common->skc_num;
  facts->remote_port = bpf_ntohs(common->skc_dport);
  if (facts->family == AF_INET) {
    *(__u32*)facts->local_address = common->skc_rcv_saddr;
    *(__u32*)facts->remote_address = common->skc_daddr;
  } else {
    __builtin_memcpy(facts->local_address, common->skc_v6_rcv_saddr.in6_u.u6_addr8, 16);
    __builtin_memcpy(facts->remote_address, common->skc_v6_daddr.in6_u.u6_addr8, 16);
    if (BPF_CORE_READ_BITFIELD(common, skc_ipv6only)) facts->flags |= SOCKET_FACTS_V6ONLY;
  }
}

static __always_inline void fill_backlog(struct socket_facts* facts, struct sock* listener) {
  facts->receive_queue = BPF_CORE_READ(listener, sk_ack_backlog);
  facts->send_queue = BPF_CORE_READ(listener, sk_max_ack_backlog);
}

// The queues as the kernel's own socket diagnosis computes them (tcp_diag_get_info,
// mptcp_diag_get_info, udp_diag_get_info and raw_diag_get_info under net/).
static __always_inline void fill_tcp_queues(struct socket_facts* facts, struct tcp_sock* tcp) {
  if (facts->state == TCP_LISTEN) {
    fill_backlog(facts, (struct sock*)tcp);
    return;
  }
  const int unread = tcp->rcv_nxt - tcp->copied_seq;
  facts->receive_queue = unread > 0 ? unread : 0;
  facts->send_queue = tcp->write_seq - tcp->snd_una;
}

static __always_inline void fill_other_queues(struct socket_facts* facts, struct sock* sk) {
  facts->receive_queue = sk->sk_backlog.rmem_alloc.counter;
  facts->send_queue = sk->sk_wmem_alloc.refs.counter - 1;  // the socket itself counts as one
  if (facts->type == SOCK_DGRAM) {
    facts->receive_queue -= BPF_CORE_READ((struct udp_sock*)sk, forward_deficit);
  }
}

static __always_inline void fill_mptcp_backlog(struct socket_facts* facts, struct sock* sk) {
  if (bpf_core_type_exists(struct mptcp_sock)) {
    fill_backlog(facts, BPF_CORE_READ((struct mptcp_sock*)sk, first));
  }
}

// What every whole socket has; the queues are left to whoever knows what kind it is.
static __always_inline void fill_whole(struct socket_facts* facts, struct sock* sk) {
  fill_common(facts, &sk->__sk_common);
  facts->uid = sk->sk_uid.val;
  facts->protocol = sk->sk_protocol;
  facts->type = sk->sk_type;
}

static __always_inline void fill_facts(struct socket_facts* facts, struct sock* sk) {
  fill_whole(facts, sk);
  facts->netns = sk->__sk_common.skc_net.net->ns.inum;
  if (facts->protocol == IPPROTO_TCP && facts->type == SOCK_STREAM) {
    struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
    if (tcp) fill_tcp_queues(facts, tcp);
  } else if (facts->protocol == IPPROTO_MPTCP && facts->state == TCP_LISTEN) {
    fill_mptcp_backlog(facts, sk);
  } else {
    fill_other_queues(facts, sk);
  }
}

// A whole record, written to the stream.
static __always_inline void write_record(struct seq_file* stream, struct task_struct* task,
                                         __u32 fd, struct sock* sk, __u64 inode) {
  struct socket_record record = {
      .size = sizeof record,
      .version = SOCKET_RECORD_VERSION,
      .cookie = bpf_get_socket_cookie(sk),
      .inode = inode,
  };
  fill_holder(&record, task, fd);
  if (record.tgid == 0 || record.tid == 0) return;  // it ended just now, and has no number any more
  fill_facts(&record.facts, sk);
  bpf_seq_write(stream, &record, sizeof record);
}
