// One record for every socket in the kernel's tables of the network namespace of whoever opens the
// stream, those that no descriptor leads to included.
#include "narrowing.h"

bool facts_always = false;  // also of sockets that a descriptor must lead to

// Where a descriptor should lead to this very socket, its cookie will do. Nearly all sockets end
// here, so no more of their memory is looked at than must be: that the kernel opened one for
// itself, or that it is the subflow of a Multipath TCP socket, and so no descriptor leads to it,
// the reader finds out, and asks for its facts.
static __always_inline void write_short(struct seq_file* stream, __u64 cookie) {
  const struct socket_listing listing = {
      .size = sizeof listing,
      .version = SOCKET_RECORD_VERSION,
      .flags = SOCKET_EVIDENCE_SOCKET,
      .cookie = cookie,
  };
  bpf_seq_write(stream, (void*)&listing, sizeof listing);
}

static __always_inline void begin_long(struct table_record* record, struct sock* sk,
                                       struct socket* socket) {
  record->listing.size = sizeof *record;
  record->listing.version = SOCKET_RECORD_VERSION;
  if (socket) {
    record->socket = (__u64)socket;
    record->listing.flags |= SOCKET_EVIDENCE_SOCKET;
    if (BPF_CORE_READ(socket, file)) record->listing.flags |= SOCKET_EVIDENCE_FILE;
    record->listing.inode = inode_of(socket);
  }
  if (BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) record->listing.flags |= SOCKET_EVIDENCE_KERNEL;
  fill_whole(&record->facts, sk);
}

static __always_inline void list_tcp_sock(struct seq_file* stream, struct tcp_sock* tcp) {
  struct sock* sk = (struct sock*)tcp;
  const __u64 cookie = bpf_get_socket_cookie(sk);
  if (asked_only && !is_asked(cookie)) return;
  // Plain pointers: what a helper gives out the verifier does not trust, and does not search for.
  struct socket* socket = sk->sk_socket;
  const __u8 state = sk->__sk_common.skc_state;
  // Listeners come with their facts: they are what is in question most often.
  if (state != TCP_LISTEN && !facts_always && socket) {
    write_short(stream, cookie);
    return;
  }
  struct table_record record = {.listing = {.cookie = cookie}};
  begin_long(&record, sk, socket);
  if (bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp) {
    record.listing.flags |= SOCKET_EVIDENCE_MPTCP;
  }
  fill_tcp_queues(&record.facts, tcp);
  bpf_seq_write(stream, &record, sizeof record);
}

// A handshake or a time-wait: less than a struct sock, and nobody's.
static __always_inline void list_mini(struct seq_file* stream, struct sock_common* common) {
  struct table_record record = {
      .listing = {.size = sizeof record,
                  .version = SOCKET_RECORD_VERSION,
                  .cookie = bpf_get_socket_cookie(common)},
  };
  if (asked_only && !is_asked(record.listing.cookie)) return;
  fill_common(&record.facts, common);
  record.facts.protocol = IPPROTO_TCP;
  record.facts.type = SOCK_STREAM;
  if (record.facts.state == TCP_TIME_WAIT) {
    // The same structure stands in for a socket that waits for the other side to close.
    struct inet_timewait_sock* waiting =
        (struct inet_timewait_sock*)bpf_skc_to_tcp_timewait_sock(common);
    if (waiting) record.facts.state = waiting->tw_substate;
  }
  bpf_seq_write(stream, &record, sizeof record);
}

SEC("iter/tcp")
int list_tcp(struct bpf_iter__tcp* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct sock_common* common = ctx->sk_common;
  if (!common) return 0;
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(common);
  if (tcp) {
    list_tcp_sock(stream, tcp);
  } else {
    list_mini(stream, common);
  }
  return 0;
}

SEC("iter/udp")
int list_udp(struct bpf_iter__udp* ctx) {
  struct seq_file* stream = ctx->meta->seq;
  struct sock* sk = (struct sock*)ctx->udp_sk;
  if (!sk || !is_accounted(sk)) return 0;
  const __u64 cookie = bpf_get_socket_cookie(sk);
  if (asked_only && !is_asked(cookie)) return 0;
  struct socket* socket = BPF_CORE_READ(sk, sk_socket);
  if (!facts_always && socket) {
    write_short(stream, cookie);
    return 0;
  }
  struct table_record record = {.listing = {.cookie = cookie}};
  begin_long(&record, sk, socket);
  fill_other_queues(&record.facts, sk);
  bpf_seq_write(stream, &record, sizeof record);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
