// Who holds what: one record for every descriptor, in every descriptor table of the reader's PID
// namespace, that refers to a TCP, UDP or raw socket, whatever its network namespace. The kernel
// skips threads that share their leader's table; a leader that has exited has none, so then each of
// its threads reports the same table, and the reader of the stream drops the copies.
#include "narrowing.h"

#define ASKED_BY_INODE (1ULL << 63)

bool own_namespace_only = false;  // the network namespace of the reader

static __always_inline bool is_wanted(struct sock* sk) {
  if (!is_accounted(sk)) return false;
  if (listeners_only) {
    const __u8 state = sk->__sk_common.skc_state;
    const bool stream = sk->sk_type == SOCK_STREAM;
    if (state != (stream ? TCP_LISTEN : TCP_CLOSE)) return false;
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
  struct sock* sk = socket->sk;
  learn_reader();
  if (!sk || !is_wanted(sk)) return 0;
  const __u64 inode = inode_of(socket);
  if (asked_only && !is_asked(bpf_get_socket_cookie(sk)) && !is_asked(inode | ASKED_BY_INODE)) {
    return 0;
  }
  write_record(stream, task, ctx->fd, sk, inode);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
