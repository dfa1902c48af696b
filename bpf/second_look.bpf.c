// The second look at sockets for which no descriptor was found, loaded only when there are some:
// what does the kernel's own structure say of the holder, and has a descriptor appeared since?
//
// The order matters to user space: first the tables, which also note where the sockets are in
// memory, then the descriptors, then the tables again.
#include "socket_fields.h"

// The sockets in question. Maps are sized by user space before loading.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u8);
} asked_cookies SEC(".maps");

// The same by inode: only those for which an address will not do.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u8);
} asked_inodes SEC(".maps");

// Addresses of struct socket, noted on the walk of the tables. Comparing them spares the walk of
// the descriptors a cache miss or two for each of the sockets that are not in question.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, __u64);
  __type(value, __u8);
} noted_sockets SEC(".maps");

// Set before the walk of the descriptors: whether asked_inodes has any.
bool some_by_inode = false;

static __always_inline bool is_in_question(struct socket* socket) {
  const __u64 address = (__u64)socket;
  if (bpf_map_lookup_elem(&noted_sockets, &address)) return true;
  if (!some_by_inode) return false;
  const __u64 inode = inode_of(socket);
  return bpf_map_lookup_elem(&asked_inodes, &inode) != 0;
}

SEC("iter/task_file")
int find_descriptors(struct bpf_iter__task_file* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct task_struct* task = ctx->task;
  struct file* file = ctx->file;
  if (!task || !file) return 0;
  struct socket* socket = (struct socket*)bpf_sock_from_file(file);
  if (!socket || !is_in_question(socket)) return 0;
  struct sock* sk = socket->sk;
  if (!sk || !is_accounted(sk)) return 0;
  learn_reader();
  write_record(stream, task, ctx->fd, sk, inode_of(socket));
  return 0;
}

static __always_inline int give_evidence(struct seq_file* stream, struct sock* sk, __u8 flags) {
  const __u64 cookie = bpf_get_socket_cookie(sk);
  if (!bpf_map_lookup_elem(&asked_cookies, &cookie)) return 0;
  struct socket_evidence evidence = {
      .size = sizeof evidence,
      .version = SOCKET_RECORD_VERSION,
      .flags = flags,
      .cookie = cookie,
  };
  struct socket* socket = BPF_CORE_READ(sk, sk_socket);
  if (socket) {
    const __u64 address = (__u64)socket;
    const __u8 noted = 1;
    bpf_map_update_elem(&noted_sockets, &address, &noted, BPF_ANY);
    evidence.flags |= SOCKET_EVIDENCE_SOCKET;
    if (BPF_CORE_READ(socket, file)) evidence.flags |= SOCKET_EVIDENCE_FILE;
  }
  if (BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) evidence.flags |= SOCKET_EVIDENCE_KERNEL;
  bpf_seq_write(stream, &evidence, sizeof evidence);
  return 0;
}

SEC("iter/tcp")
int question_tcp(struct bpf_iter__tcp* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct sock_common* common = ctx->sk_common;
  if (!common) return 0;
  // Neither a time-wait nor a handshake passes: both are smaller than a struct sock.
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(common);
  if (!tcp) return 0;
  const bool mptcp = bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
  return give_evidence(stream, (struct sock*)tcp, mptcp ? SOCKET_EVIDENCE_MPTCP : 0);
}

SEC("iter/udp")
int question_udp(struct bpf_iter__udp* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct udp_sock* udp = ctx->udp_sk;
  if (!udp) return 0;
  return give_evidence(stream, (struct sock*)udp, 0);
}

char LICENSE[] SEC("license") = "GPL";
