// The recorder's programs: every opening and closing of a TCP or UDP socket, with who did it, in
// one ring. What each hook can be trusted with:
//
//   cgroup/sock_create      process context: the maker of a UDP socket, kept in socket storage
//   cgroup/bind4,6          process context: an attempt; it failed if no post_bind follows
//   cgroup/post_bind4,6     process context: an explicit bind succeeded
//   cgroup/sendmsg4,6       process context: sendto() on UDP; the kernel has chosen a port by now
//   sockops LISTEN, CONNECT process context: who listens, who connects. The first to bind or to
//                           listen is kept as the maker of a listener, by its place: what is
//                           accepted there finds it again. Neither what connects nor what is
//                           accepted has storage of its own, and there are most of these: storage
//                           costs more than all the rest
//   sockops ESTABLISHED     any context, nobody may be read from it: the storage tells
//   sockops STATE           any context: a failed connect, or the end of what was never accepted
//   cgroup/sock_release     the task that lets the last descriptor go; all of the socket still
//                           stands, also the port that the kernel chose for a UDP client
//   tp_btf/tcp_send_reset   any context: a segment for a closed port
//   tp_btf/sched_process_*  processes, so that a dead one is still named
//
// cgroup hooks hand over the kernel's own struct sock behind a narrower type. bpf_rdonly_cast
// (Linux 6.2) lends it the whole type again; where it is missing, bpf_probe_read_kernel reaches the
// same fields for more time.
// clang-format off: libbpf's headers rely on the integer types that kernel_types.h brings.
#include "kernel_types.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "event_record.h"
// clang-format on

#define RING_BYTES_DEFAULT (8 << 20)
#define PF_KTHREAD 0x00200000
// In a TCP header (RFC 9293).
#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_ACK_BIT 0x10

// Whether the kernel has bpf_rdonly_cast; set before the programs are loaded.
const volatile bool can_cast = false;
// Level of the recorder's PID namespace, set before the programs are attached.
__u32 pid_level = 0;
// Losses, which the recorder reads.
__u64 ring_full = 0;
__u64 storage_full = 0;

extern void* bpf_rdonly_cast(const void* object, __u32 btf_id) __ksym __weak;

// Where somebody listens.
struct place {
  __u32 netns;
  __u32 interface;
  __u16 port;
  __u16 family;
  __u8 address[16];
};

struct socket_notes {
  struct event_actor creator;
  __u64 created_ns;
  __u64 attempt_ns;  // of a bind that has not been seen to succeed
  // Who tried. Not always who lets the socket go: whoever reads /proc/PID/fd holds it for a moment.
  struct event_actor attempt_by;
  __u8 attempt_address[16];
  __u16 attempt_port;  // 0 = none
  bool announced;      // an event with its port has been sent
  bool ended;          // its last event has been sent
  bool listened;       // at this place
  struct place listened_at;
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct socket_notes);
} notes_of SEC(".maps");

// Who made the listener at a place, and by what its connections are known: they inherit the
// listener's user and cgroup. The entry stays until the socket is let go, so that it can be asked
// whether it still listens there: shutdown() ends that, SO_BINDTODEVICE moves it.
struct listener {
  struct event_actor maker;
  const struct sock* socket;
  __u64 cookie;
  __u64 cgroup;
  __u32 uid;
};

#define LISTENERS_MAX 65536

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, LISTENERS_MAX);
  __type(key, struct place);
  __type(value, struct listener);
} listeners SEC(".maps");

// The maker of a listener whose connections cannot be told by their place: each of them gets a copy
// from the kernel.
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct event_actor);
} inherited_maker SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, RING_BYTES_DEFAULT);
} events SEC(".maps");

// ---- who -------------------------------------------------------------------------------------

static __always_inline __u32 number_of(struct task_struct* task) {
  struct task_struct* leader = BPF_CORE_READ(task, group_leader);
  if (pid_level == 0) return BPF_CORE_READ(leader, tgid);
  struct pid* pid = BPF_CORE_READ(leader, thread_pid);
  if (BPF_CORE_READ(pid, level) < pid_level) return 0;
  int number = 0;
  const void* numbers = (const void*)pid + bpf_core_field_offset(struct pid, numbers);
  bpf_probe_read_kernel(&number, sizeof number,
                        numbers + pid_level * bpf_core_type_size(struct upid) +
                            bpf_core_field_offset(struct upid, nr));
  return number;
}

static __always_inline void fill_actor(struct event_actor* actor, struct task_struct* task) {
  actor->tgid = number_of(task);
  actor->start_time_ns = BPF_CORE_READ(task, group_leader, start_boottime);
  bpf_probe_read_kernel_str(actor->command, sizeof actor->command, task->comm);
}

// The current task; call it in process context alone. A kernel thread is nobody.
static __always_inline void fill_current(struct event_actor* actor) {
  struct task_struct* task = (struct task_struct*)bpf_get_current_task_btf();
  if (task->flags & PF_KTHREAD) return;
  actor->tgid = pid_level == 0 ? bpf_get_current_pid_tgid() >> 32 : number_of(task);
  actor->start_time_ns = task->group_leader->start_boottime;
  actor->uid = task->cred->euid.val;
  actor->cgroup_id = bpf_get_current_cgroup_id();
  bpf_get_current_comm(actor->command, sizeof actor->command);
}

// ---- records ---------------------------------------------------------------------------------

static __always_inline void fill_head(struct event_head* head, __u16 size, __u8 kind) {
  head->size = size;
  head->version = EVENT_RECORD_VERSION;
  head->kind = kind;
  head->netns = 0;
  head->time_ns = bpf_ktime_get_boot_ns();
}

// Enough of a socket's start for all the names that sockets have. Where they lie in it is the
// running kernel's business.
struct socket_start {
  __u64 bytes[16];
};

// A socket's names, and whether what they point to may be read in place too.
struct names {
  const struct sock_common* common;
  bool in_place;
};

// What a hook calls a socket, with all its names: in place, or copied at once, since a helper call
// for each field would be most of what a record costs.
static __always_inline struct names names_of(const void* socket, struct socket_start* copy) {
  if (can_cast) {
    return (struct names){bpf_rdonly_cast(socket, bpf_core_type_id_kernel(struct sock_common)),
                          true};
  }
  bpf_probe_read_kernel(copy, sizeof *copy, socket);
  return (struct names){(const struct sock_common*)copy, false};
}

static __always_inline void fill_names(struct socket_event_record* record, struct names names,
                                       __u16 protocol) {
  const struct sock_common* common = names.common;
  const struct net* net = common->skc_net.net;
  record->head.netns = names.in_place ? net->ns.inum : BPF_CORE_READ(net, ns.inum);
  record->interface = common->skc_bound_dev_if;
  record->local_port = common->skc_num;
  record->remote_port = bpf_ntohs(common->skc_dport);
  record->protocol = protocol;
  record->family = common->skc_family;
  if (record->family == AF_INET) {
    *(__u32*)record->local_ipv4 = common->skc_rcv_saddr;
    *(__u32*)record->remote_ipv4 = common->skc_daddr;
  }
}

// The parts of a socket's record.
enum parts { NAMES, TOTALS, ALL };

// A record in the ring with head, names and times filled in, and room for these parts; NULL when
// there is no room in the ring, counted.
static __always_inline void* begin(__u8 kind, struct names names, __u16 protocol, __u64 cookie,
                                   __u64 created_ns, const enum parts parts) {
  struct socket_event_record* record;
  __u16 size;
  // The ring wants to know each size beforehand.
  if (parts == NAMES) {
    record = bpf_ringbuf_reserve(&events, size = sizeof(struct socket_event_record), 0);
  } else if (parts == TOTALS) {
    record = bpf_ringbuf_reserve(&events, size = sizeof(struct closing_event_record), 0);
  } else {
    record = bpf_ringbuf_reserve(&events, size = sizeof(struct whole_event_record), 0);
  }
  if (!record) {
    __sync_fetch_and_add(&ring_full, 1);
    return 0;
  }
  __builtin_memset(record, 0, sizeof *record);
  fill_head(&record->head, size, kind);
  record->cookie = cookie;
  record->created_ns = created_ns;
  fill_names(record, names, protocol);
  if (parts == TOTALS) {
    struct closing_event_record* closing = (void*)record;
    __builtin_memset(&closing->totals, 0, sizeof closing->totals);
  } else if (parts == ALL) {
    struct whole_event_record* whole = (void*)record;
    __builtin_memset(&whole->totals, 0, sizeof whole->totals + sizeof whole->rest);
    if (record->family != AF_INET) {
      const struct sock_common* common = names.common;
      __builtin_memcpy(whole->rest.local_ipv6, common->skc_v6_rcv_saddr.in6_u.u6_addr8, 16);
      __builtin_memcpy(whole->rest.remote_ipv6, common->skc_v6_daddr.in6_u.u6_addr8, 16);
    }
  }
  return record;
}

static __always_inline void send(void* record) { bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP); }

static __always_inline __u64 created_ns(const struct socket_notes* notes) {
  return notes ? notes->created_ns : 0;
}

static __always_inline bool is_same(const struct event_actor* one,
                                    const struct event_actor* other) {
  return one->tgid == other->tgid && one->start_time_ns == other->start_time_ns;
}

// Reports what the current task does.
static __always_inline bool report_act(__u8 kind, struct names names, __u16 protocol, __u64 cookie,
                                       const struct socket_notes* notes) {
  struct event_actor actor = {};
  fill_current(&actor);
  const bool created = notes && is_same(&actor, &notes->creator);
  if (names.common->skc_family == AF_INET && (!notes || created)) {
    struct socket_event_record* record =
        begin(kind, names, protocol, cookie, created_ns(notes), NAMES);
    if (!record) return false;
    record->actor = actor;
    if (created) record->flags = EVENT_ACTOR_CREATED;
    send(record);
    return true;
  }
  struct whole_event_record* whole = begin(kind, names, protocol, cookie, created_ns(notes), ALL);
  if (!whole) return false;
  whole->socket.actor = actor;
  if (notes) whole->rest.creator = notes->creator;
  send(whole);
  return true;
}

static __always_inline bool is_recorded(__u32 type, __u32 protocol) {
  if (type == SOCK_STREAM) return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
  return type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE);
}

// An attempt to bind that never succeeded: the socket is let go, or tries another port.
static __always_inline void send_failed_bind(struct names names, __u16 protocol, __u64 cookie,
                                             struct socket_notes* notes) {
  struct whole_event_record* record =
      begin(EVENT_BIND_FAILED, names, protocol, cookie, notes->created_ns, ALL);
  if (record) {
    record->socket.head.time_ns = notes->attempt_ns;
    record->socket.local_port = notes->attempt_port;
    __builtin_memcpy(record->socket.local_ipv4, notes->attempt_address, 4);
    __builtin_memcpy(record->rest.local_ipv6, notes->attempt_address, 16);
    record->socket.actor = notes->attempt_by;
    record->rest.creator = notes->creator;
    send(record);
  }
  notes->attempt_port = 0;
}

// ---- sockets ---------------------------------------------------------------------------------

static __always_inline void note_creator(struct socket_notes* notes) {
  if (!notes) {
    __sync_fetch_and_add(&storage_full, 1);
    return;
  }
  if (notes->created_ns != 0) return;
  notes->created_ns = bpf_ktime_get_boot_ns();
  fill_current(&notes->creator);
}

SEC("cgroup/sock_create")
int on_create(struct bpf_sock* ctx) {
  if (ctx->type != SOCK_DGRAM || !is_recorded(ctx->type, ctx->protocol)) return 1;
  note_creator(bpf_sk_storage_get(&notes_of, ctx, 0, BPF_SK_STORAGE_GET_F_CREATE));
  return 1;
}

static __always_inline struct socket_notes* note_bind(struct bpf_sock_addr* ctx) {
  struct bpf_sock* socket = ctx->sk;
  if (!socket || !is_recorded(ctx->type, ctx->protocol)) return 0;
  struct socket_notes* notes =
      bpf_sk_storage_get(&notes_of, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
  note_creator(notes);
  const __u16 port = bpf_ntohs(ctx->user_port);
  // Without a port the kernel chooses one, which fails only when all are taken.
  if (!notes || port == 0) return 0;
  if (notes->attempt_port != 0) {
    struct socket_start start;
    send_failed_bind(names_of(socket, &start), ctx->protocol, bpf_get_socket_cookie(ctx), notes);
  }
  notes->attempt_port = port;
  notes->attempt_ns = bpf_ktime_get_boot_ns();
  fill_current(&notes->attempt_by);
  return notes;
}

SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr* ctx) {
  const __u32 address = ctx->user_ip4;
  struct socket_notes* notes = note_bind(ctx);
  if (notes) *(__u32*)notes->attempt_address = address;
  return 1;
}

SEC("cgroup/bind6")
int on_bind6(struct bpf_sock_addr* ctx) {
  const __u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
  struct socket_notes* notes = note_bind(ctx);
  if (notes) __builtin_memcpy(notes->attempt_address, address, sizeof address);
  return 1;
}

static __always_inline int bound(struct bpf_sock* ctx) {
  struct socket_notes* notes = bpf_sk_storage_get(&notes_of, ctx, 0, 0);
  if (notes) notes->attempt_port = 0;
  // A TCP socket shows itself when it listens or connects, and else when it is let go.
  if (ctx->type != SOCK_DGRAM) return 1;
  struct socket_start start;
  const struct names names = names_of(ctx, &start);
  const bool told =
      report_act(EVENT_BOUND, names, ctx->protocol, bpf_get_socket_cookie(ctx), notes);
  if (told && notes) notes->announced = true;
  return 1;
}

SEC("cgroup/post_bind4")
int on_bound4(struct bpf_sock* ctx) { return bound(ctx); }

SEC("cgroup/post_bind6")
int on_bound6(struct bpf_sock* ctx) { return bound(ctx); }

static __always_inline int announce_sender(struct bpf_sock_addr* ctx) {
  struct bpf_sock* socket = ctx->sk;
  if (!socket) return 1;
  struct socket_notes* notes = bpf_sk_storage_get(&notes_of, socket, 0, 0);
  if (!notes || notes->announced) return 1;
  struct socket_start start;
  const struct names names = names_of(socket, &start);
  notes->announced =
      report_act(EVENT_BOUND, names, ctx->protocol, bpf_get_socket_cookie(ctx), notes);
  return 1;
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr* ctx) { return announce_sender(ctx); }

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr* ctx) { return announce_sender(ctx); }

static __always_inline struct names names_in_place(const struct sock* sk) {
  return (struct names){&sk->__sk_common, true};
}

static __always_inline void acted(__u8 kind, struct bpf_sock_ops* ops, const struct sock* sk,
                                  struct socket_notes* notes) {
  const bool told =
      report_act(kind, names_in_place(sk), IPPROTO_TCP, bpf_get_socket_cookie(ops), notes);
  if (told && notes) notes->announced = true;
}

// Whether what a listener accepts need not come in at its own place, or several listen at one: a
// proxy takes connections for others, and of a Multipath TCP socket the kernel listens below.
static __always_inline bool is_elusive(const struct sock* sk) {
  // Before Linux 5.15 a socket's cgroup is not to be read, and so no listener is known by it.
  if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) return true;
  if (BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_reuseport)) return true;
  if (BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) return true;
  const struct inet_sock* inet = (const struct inet_sock*)sk;
  if (bpf_core_field_exists(inet->inet_flags)) {
    return BPF_CORE_READ(inet, inet_flags) >> INET_FLAGS_TRANSPARENT & 1;
  }
  return BPF_CORE_READ_BITFIELD_PROBED(inet, transparent);
}

static __always_inline void fill_place(struct place* place, const struct sock* sk) {
  const struct sock_common* common = &sk->__sk_common;
  place->netns = common->skc_net.net->ns.inum;
  place->interface = common->skc_bound_dev_if;
  place->port = common->skc_num;
  place->family = common->skc_family;
  if (place->family == AF_INET) {
    *(__u32*)place->address = common->skc_rcv_saddr;
  } else {
    __builtin_memcpy(place->address, common->skc_v6_rcv_saddr.in6_u.u6_addr8, 16);
  }
}

static __always_inline void forget_listener(struct socket_notes* notes, __u64 cookie) {
  notes->listened = false;
  struct listener* known = bpf_map_lookup_elem(&listeners, &notes->listened_at);
  // After a shutdown() another may have taken the place.
  if (known && known->cookie == cookie) bpf_map_delete_elem(&listeners, &notes->listened_at);
}

static __always_inline void remember_listener(struct bpf_sock* socket, const struct sock* sk,
                                              struct socket_notes* notes, __u64 cookie) {
  if (is_elusive(sk)) {
    struct event_actor* maker =
        bpf_sk_storage_get(&inherited_maker, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (maker) *maker = notes->creator;
    if (!maker) __sync_fetch_and_add(&storage_full, 1);
    return;
  }
  struct listener known = {.maker = notes->creator,
                           .socket = sk,
                           .cookie = cookie,
                           .cgroup = (__u64)sk->sk_cgrp_data.cgroup,
                           .uid = sk->sk_uid.val};
  if (notes->listened) forget_listener(notes, cookie);
  fill_place(&notes->listened_at, sk);
  notes->listened = bpf_map_update_elem(&listeners, &notes->listened_at, &known, BPF_ANY) == 0;
  if (!notes->listened) __sync_fetch_and_add(&storage_full, 1);
}

static __always_inline void listening(struct bpf_sock_ops* ops, struct bpf_sock* socket,
                                      const struct sock* sk) {
  struct socket_notes* notes =
      bpf_sk_storage_get(&notes_of, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
  note_creator(notes);
  if (notes) {
    notes->ended = false;  // it may have failed to connect before
    remember_listener(socket, sk, notes, bpf_get_socket_cookie(ops));
  }
  acted(EVENT_LISTENING, ops, sk, notes);
}

static __always_inline void connecting(struct bpf_sock_ops* ops, const struct sock* sk,
                                       struct socket_notes* notes) {
  bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
  if (notes) notes->ended = false;
  acted(EVENT_CONNECTED, ops, sk, notes);
}

// What a program connected is let go by a program. What was accepted may never be taken from the
// queue, and what the kernel made for a Multipath TCP socket is never let go by a program.
static __always_inline void connected(struct bpf_sock_ops* ops, const struct sock* sk) {
  if (!BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) bpf_sock_ops_cb_flags_set(ops, 0);
}

// Whether a connection came through this listener, kept for this place. Both are in one bucket of
// bound ports then, in which the kernel lets no two listeners take the same connections.
static __always_inline bool came_through(const struct sock* sk, const struct listener* listener,
                                         const struct place* place) {
  if (listener->uid != sk->sk_uid.val) return false;
  if (listener->cgroup != (__u64)sk->sk_cgrp_data.cgroup) return false;
  // It may be let go just now, and its memory be another's: the cookie tells.
  struct socket_start start = {};
  bpf_probe_read_kernel(&start, sizeof start, listener->socket);
  const struct sock_common* now = (const struct sock_common*)&start;
  if ((__u64)now->skc_cookie.counter != listener->cookie || now->skc_state != TCP_LISTEN)
    return false;
  if (now->skc_num != place->port || (__u32)now->skc_bound_dev_if != place->interface) return false;
  // What [::] accepts for IPv6 alone shares its port with a listener at ::ffff:0.0.0.0.
  if (BPF_CORE_READ_BITFIELD(now, skc_ipv6only) !=
      BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_ipv6only)) {
    return false;
  }
  // An enslaved interface (VRF) has a bucket of its own, and who is bound to it goes first.
  const struct inet_connection_sock* its = (const struct inet_connection_sock*)listener->socket;
  const struct inet_connection_sock* ours = (const struct inet_connection_sock*)sk;
  return BPF_CORE_READ(its, icsk_bind_hash) == BPF_CORE_READ(ours, icsk_bind_hash);
}

// Who made the listener that a connection came through; nobody where that is not certain.
static __always_inline const struct event_actor* maker_of(struct bpf_sock* socket,
                                                          const struct sock* sk) {
  if (sk->sk_bpf_storage) {
    const struct event_actor* maker = bpf_sk_storage_get(&inherited_maker, socket, 0, 0);
    if (maker) return maker;
  }
  if (is_elusive(sk)) return 0;
  // A program of the namespace's own may choose another listener than the one at the place.
  const struct net* net = sk->__sk_common.skc_net.net;
  if (net->bpf.run_array[NETNS_BPF_SK_LOOKUP]) return 0;
  struct place place = {};
  fill_place(&place, sk);
  // As the kernel looks: the address before the wildcard. A listener at all interfaces has
  // connections that are bound to one, from link-local addresses and in a VRF.
  const __u32 interface = place.interface;
  for (int wildcard = 0; wildcard < 2; ++wildcard) {
    if (wildcard) __builtin_memset(place.address, 0, sizeof place.address);
    place.interface = interface;
    const struct listener* listener = bpf_map_lookup_elem(&listeners, &place);
    if (listener && came_through(sk, listener, &place)) return &listener->maker;
    if (interface == 0) continue;
    place.interface = 0;
    listener = bpf_map_lookup_elem(&listeners, &place);
    if (listener && came_through(sk, listener, &place)) return &listener->maker;
  }
  return 0;
}

// Reports what nobody does, or nobody who could be told.
static __always_inline bool report(__u8 kind, const struct sock* sk, __u64 cookie, __u64 created_ns,
                                   const struct event_actor* creator, __u32 error) {
  const struct names names = names_in_place(sk);
  struct socket_event_record* record;
  if (sk->__sk_common.skc_family == AF_INET) {
    record = begin(kind, names, IPPROTO_TCP, cookie, created_ns, NAMES);
  } else {
    record = begin(kind, names, IPPROTO_TCP, cookie, created_ns, ALL);
  }
  if (!record) return false;
  record->flags = EVENT_CREATOR_ONLY;
  if (creator) record->actor = *creator;
  record->error = error;
  send(record);
  return true;
}

static __always_inline void accepted(struct bpf_sock_ops* ops, struct bpf_sock* socket,
                                     const struct sock* sk) {
  bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
  report(EVENT_ACCEPTED, sk, bpf_get_socket_cookie(ops), bpf_ktime_get_boot_ns(),
         maker_of(socket, sk), 0);
}

static __always_inline void state_changed(struct bpf_sock_ops* ops, const struct sock* sk,
                                          struct socket_notes* notes) {
  const bool connecting = ops->args[0] == TCP_SYN_SENT;
  const bool programs = sk->sk_socket != 0 && !BPF_CORE_READ_BITFIELD(sk, sk_kern_sock);
  if (!connecting && programs) {
    // A program holds it now, and so lets it go when the time has come.
    bpf_sock_ops_cb_flags_set(ops, 0);
    return;
  }
  if (ops->args[1] != TCP_CLOSE) return;
  // What its program let go, while it connected or after it was accepted, has been reported by
  // sock_release already.
  if (connecting && programs && BPF_CORE_READ_BITFIELD(sk, sk_shutdown) == SHUTDOWN_MASK) return;
  if (!connecting && notes && notes->ended) return;
  const bool told =
      report(connecting ? EVENT_CONNECT_FAILED : EVENT_CLOSED, sk, bpf_get_socket_cookie(ops),
             created_ns(notes), notes ? &notes->creator : 0, connecting ? sk->sk_err : 0);
  if (told && notes) notes->ended = true;
}

SEC("sockops")
int on_tcp(struct bpf_sock_ops* ops) {
  // Most calls ask for a setting that is none of our business.
  switch (ops->op) {
    case BPF_SOCK_OPS_TCP_LISTEN_CB:
    case BPF_SOCK_OPS_TCP_CONNECT_CB:
    case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
    case BPF_SOCK_OPS_STATE_CB:
      break;
    default:
      return 1;
  }
  struct bpf_sock* socket = ops->sk;
  if (!socket) return 1;
  const struct sock* sk = (const struct sock*)bpf_skc_to_tcp_sock(socket);
  if (!sk) return 1;
  if (ops->op == BPF_SOCK_OPS_TCP_LISTEN_CB) {
    listening(ops, socket, sk);
    return 1;
  }
  if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
    connected(ops, sk);
    return 1;
  }
  if (ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
    accepted(ops, socket, sk);
    return 1;
  }
  struct socket_notes* notes = 0;
  if (sk->sk_bpf_storage) notes = bpf_sk_storage_get(&notes_of, socket, 0, 0);
  if (ops->op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
    connecting(ops, sk, notes);
  } else {
    state_changed(ops, sk, notes);
  }
  return 1;
}

#define TOTAL(tcp, field) (can_cast ? (tcp)->field : BPF_CORE_READ(tcp, field))

static __always_inline void fill_totals(struct socket_event_totals* totals, const void* socket,
                                        __u8 state) {
  const struct tcp_sock* tcp = socket;
  if (can_cast) tcp = bpf_rdonly_cast(socket, bpf_core_type_id_kernel(struct tcp_sock));
  // bytes_acked would count the SYN too. What waits to be sent is sent after the close, unless the
  // connection was reset.
  totals->bytes_sent = TOTAL(tcp, bytes_sent) - TOTAL(tcp, bytes_retrans);
  if (state != TCP_CLOSE) totals->bytes_sent += TOTAL(tcp, write_seq) - TOTAL(tcp, snd_nxt);
  totals->bytes_received = TOTAL(tcp, bytes_received);
  // The other side's FIN has a number like a byte, and is counted as one.
  if (state == TCP_CLOSE_WAIT && totals->bytes_received != 0) totals->bytes_received -= 1;
  totals->rtt_us = TOTAL(tcp, srtt_us) >> 3;  // the kernel keeps eight times the value
  totals->retransmits = TOTAL(tcp, total_retrans);
}

// Most sockets have none, and to ask for it costs more than to see that.
static __always_inline bool has_storage(const void* socket) {
  if (!can_cast) return true;
  return ((const struct sock*)bpf_rdonly_cast(socket, bpf_core_type_id_kernel(struct sock)))
             ->sk_bpf_storage != 0;
}

static __always_inline bool report_release(struct bpf_sock* ctx, struct names names, __u64 cookie,
                                           const struct socket_notes* notes) {
  struct event_actor actor = {};
  fill_current(&actor);
  const bool created = notes && is_same(&actor, &notes->creator);
  if (names.common->skc_family == AF_INET && (!notes || created)) {
    struct closing_event_record* record =
        begin(EVENT_CLOSED, names, ctx->protocol, cookie, created_ns(notes), TOTALS);
    if (!record) return false;
    record->socket.actor = actor;
    if (created) record->socket.flags = EVENT_ACTOR_CREATED;
    if (ctx->protocol == IPPROTO_TCP) {
      fill_totals(&record->totals, ctx, names.common->skc_state);
    }
    send(record);
    return true;
  }
  struct whole_event_record* whole =
      begin(EVENT_CLOSED, names, ctx->protocol, cookie, created_ns(notes), ALL);
  if (!whole) return false;
  whole->socket.actor = actor;
  if (notes) whole->rest.creator = notes->creator;
  if (ctx->protocol == IPPROTO_TCP) fill_totals(&whole->totals, ctx, names.common->skc_state);
  send(whole);
  return true;
}

SEC("cgroup/sock_release")
int on_release(struct bpf_sock* ctx) {
  if (!is_recorded(ctx->type, ctx->protocol)) return 1;
  // The TCP sockets below a Multipath TCP socket tell their own story.
  if (ctx->protocol == IPPROTO_MPTCP) return 1;
  struct socket_notes* notes = has_storage(ctx) ? bpf_sk_storage_get(&notes_of, ctx, 0, 0) : 0;
  struct socket_start start;
  const struct names names = names_of(ctx, &start);
  // The next call would give it a cookie.
  const bool had_cookie = names.common->skc_cookie.counter != 0;
  const __u64 cookie = bpf_get_socket_cookie(ctx);
  if (notes && notes->attempt_port != 0) send_failed_bind(names, ctx->protocol, cookie, notes);
  if (notes && notes->listened) forget_listener(notes, cookie);
  // A connection that was reset has lost its port by now, one that its program took the peer from
  // again (connect() to AF_UNSPEC) its peer's too. The cookie stays: what has none was never told
  // of, and the recorder passes over what it does not know.
  if (names.common->skc_num == 0 && !had_cookie) return 1;
  if (notes && notes->ended) return 1;
  if (report_release(ctx, names, cookie, notes) && notes) notes->ended = true;
  return 1;
}

// ---- scans -----------------------------------------------------------------------------------

SEC("tp_btf/tcp_send_reset")
int on_reset(__u64* ctx) {
  const struct sk_buff* packet = (const struct sk_buff*)ctx[1];
  if (ctx[0] != 0 || !packet) return 0;  // a connection of ours was reset: no closed port
  const unsigned char* start = BPF_CORE_READ(packet, head);
  const unsigned char* transport = start + BPF_CORE_READ(packet, transport_header);
  __u8 first_of_tcp[TCP_FLAGS_OFFSET + 1] = {};
  bpf_probe_read_kernel(first_of_tcp, sizeof first_of_tcp, transport);
  // Who acknowledges something talks to a socket that he believes in: the late segments of a
  // connection that we have reset are no calls for a port.
  if (first_of_tcp[TCP_FLAGS_OFFSET] & TCP_FLAG_ACK_BIT) return 0;
  struct reset_event_record* record = bpf_ringbuf_reserve(&events, sizeof *record, 0);
  if (!record) {
    __sync_fetch_and_add(&ring_full, 1);
    return 0;
  }
  __builtin_memset(record, 0, sizeof *record);
  fill_head(&record->head, sizeof *record, EVENT_RESET_SENT);
  record->head.netns = BPF_CORE_READ(packet, dev, nd_net.net, ns.inum);
  const unsigned char* network = start + BPF_CORE_READ(packet, network_header);
  __u8 first = 0;
  bpf_probe_read_kernel(&first, sizeof first, network);
  record->remote_port = first_of_tcp[0] << 8 | first_of_tcp[1];
  record->local_port = first_of_tcp[2] << 8 | first_of_tcp[3];
  if (first >> 4 == 4) {
    record->family = AF_INET;
    bpf_probe_read_kernel(record->remote_address, 4, network + 12);
    bpf_probe_read_kernel(record->local_address, 4, network + 16);
  } else {
    record->family = AF_INET6;
    bpf_probe_read_kernel(record->remote_address, 16, network + 8);
    bpf_probe_read_kernel(record->local_address, 16, network + 24);
  }
  bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
  return 0;
}

// ---- processes -------------------------------------------------------------------------------

static __always_inline struct process_event_record* begin_process(__u8 kind,
                                                                  struct task_struct* task,
                                                                  struct task_struct* parent) {
  struct process_event_record* record = bpf_ringbuf_reserve(&events, sizeof *record, 0);
  if (!record) {
    __sync_fetch_and_add(&ring_full, 1);
    return 0;
  }
  __builtin_memset(record, 0, sizeof *record);
  fill_head(&record->head, sizeof *record, kind);
  fill_actor(&record->process, task);
  record->process.uid = BPF_CORE_READ(task, cred, euid.val);
  record->process.cgroup_id = bpf_get_current_cgroup_id();
  if (parent) {
    record->parent_tgid = number_of(parent);
    record->parent_start_time_ns = BPF_CORE_READ(parent, group_leader, start_boottime);
  }
  return record;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  if (child->pid != child->tgid) return 0;  // a thread
  struct process_event_record* record = begin_process(EVENT_FORK, child, parent);
  if (record) bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task, int old_pid, struct linux_binprm* binary) {
  struct process_event_record* record =
      begin_process(EVENT_EXEC, task, BPF_CORE_READ(task, real_parent));
  if (!record) return 0;
  bpf_probe_read_kernel_str(record->exe, sizeof record->exe, BPF_CORE_READ(binary, filename));
  bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct* task) {
  if (BPF_CORE_READ(task, signal, live.counter) != 0) return 0;  // other threads go on
  struct process_event_record* record = begin_process(EVENT_EXIT, task, 0);
  if (record) bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
  return 0;
}

char LICENSE[] SEC("license") = "GPL";
