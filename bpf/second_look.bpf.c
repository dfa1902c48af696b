// The second look at sockets for which no descriptor was found, loaded only when there are some:
// has one appeared since, and if not, what does the kernel's own structure say of the holder?
#include "socket_fields.h"

// The sockets in question. Sized by user space before loading.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u8);
} asked_cookies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u8);
} asked_inodes SEC(".maps");

// By inode, since a Multipath TCP socket shares only that with its subflow in the tables.
SEC("iter/task_file")
int find_descriptors(struct bpf_iter__task_file* ctx) {
  struct task_struct* task = ctx->task;
  struct file* file = ctx->file;
  if (!task || !file) return 0;
  struct socket* socket = (struct socket*)bpf_sock_from_file(file);
  if (!socket) return 0;
  struct sock* sk = socket->sk;
  if (!sk || !is_accounted(sk)) return 0;
  const __u64 inode = file->f_inode->i_ino;
  if (!bpf_map_lookup_elem(&asked_inodes, &inode)) return 0;
  write_record(ctx->meta, task, ctx->fd, file, sk);
  return 0;
}

static __always_inline int give_evidence(struct bpf_iter_meta* meta, struct sock* sk, __u8 flags) {
  const __u64 cookie = bpf_get_socket_cookie(sk);
  if (!bpf_map_lookup_elem(&asked_cookies, &cookie)) return 0;
  struct socket_evidence evidence = {
      .size = sizeof evidence,
      .version = SOCKET_RECORD_VERSION,
      .flags = flags,
      .cookie = cookie,
  };
  struct socket* socket = sk->sk_socket;
  if (socket) {
    evidence.flags |= SOCKET_EVIDENCE_SOCKET;
    if (socket->file) evidence.flags |= SOCKET_EVIDENCE_FILE;
  }
  if (BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) evidence.flags |= SOCKET_EVIDENCE_KERNEL;
  bpf_seq_write(meta->seq, &evidence, sizeof evidence);
  return 0;
}

SEC("iter/tcp")
int question_tcp(struct bpf_iter__tcp* ctx) {
  struct sock_common* common = ctx->sk_common;
  if (!common) return 0;
  // Neither a time-wait nor a handshake passes: both are smaller than a struct sock.
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(common);
  if (!tcp) return 0;
  const bool mptcp = bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
  return give_evidence(ctx->meta, (struct sock*)tcp, mptcp ? SOCKET_EVIDENCE_MPTCP : 0);
}

SEC("iter/udp")
int question_udp(struct bpf_iter__udp* ctx) {
  struct udp_sock* udp = ctx->udp_sk;
  if (!udp) return 0;
  return give_evidence(ctx->meta, (struct sock*)udp, 0);
}

char LICENSE[] SEC("license") = "GPL";
