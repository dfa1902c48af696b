// Who holds what: one record for every descriptor, in every descriptor table of the reader's PID
// namespace, that refers to a TCP, UDP or raw socket, whatever its network namespace. The kernel
// skips threads that share their leader's table; a leader that has exited has none, so then each of
// its threads reports the same table, and the reader of the stream drops the copies.
#include "narrowing.h"

#define ASKED_BY_INODE (1ULL << 63)  // no address looks like that

bool some_by_inode = false;

bool own_namespace_only = false;  // the network namespace of the reader
bool listeners_only = false;

// 0 and 0 is every port.
__u16 first_port = 0;
__u16 last_port = 0;

static __always_inline bool has_wanted_port(struct sock_common* common) {
  const __u16 local = common->skc_num;
  const __u16 remote = bpf_ntohs(common->skc_dport);
  return (local >= first_port && local <= last_port) ||
         (remote >= first_port && remote <= last_port);
}

static __always_inline bool is_wanted(struct sock* sk) {
  if (!is_accounted(sk)) return false;
  if (listeners_only) {
    const __u8 state = sk->__sk_common.skc_state;
    // Closed and with a port is bound: a stream that keeps others from listening there.
    if (state != TCP_CLOSE && !(state == TCP_LISTEN && sk->sk_type == SOCK_STREAM)) return false;
  }
  if (own_namespace_only && sk->__sk_common.skc_net.net->ns.inum != reader.netns) return false;
  if (last_port == 0) return true;
  // The subflows of a Multipath TCP socket may use other ports than itself; a raw socket has none.
  if (sk->sk_protocol == IPPROTO_MPTCP) return true;
  if (sk->sk_type == SOCK_RAW) return false;
  return has_wanted_port(&sk->__sk_common);
}

SEC("iter/task_file")
int read_descriptors(struct bpf_iter__task_file* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct task_struct* task = ctx->task;
  struct file* file = ctx->file;
  if (!task || !file) return 0;
  struct socket* socket = (struct socket*)bpf_sock_from_file(file);
  if (!socket) return 0;
  // Comparing addresses spares a cache miss or two for each of the sockets that are not in
  // question.
  if (asked_only && !is_asked((__u64)socket) &&
      !(some_by_inode && is_asked(inode_of(socket) | ASKED_BY_INODE))) {
    return 0;
  }
  struct sock* sk = socket->sk;
  learn_reader();
  if (!sk || !is_wanted(sk)) return 0;
  write_record(stream, task, ctx->fd, sk, inode_of(socket));
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
