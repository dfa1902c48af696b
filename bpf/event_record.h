// The records that the recorder's programs put into their ring. C for BPF and C++ for us read this
// one file; both sides check the layout. src/format/event_record.h is the decoder.
//
//   ring   := { socket | reset_event_record | process_event_record }
//   socket := socket_event_record [ socket_event_totals [ socket_event_rest ] ]
//
// What a socket's record has nothing to say about it is cut off before: the less is written, the
// less both sides spend. Each record begins with struct event_head, whose kind says which it is.
// Integers are in host byte order, since the bytes never leave the machine that made them; ports
// are plain numbers; addresses are in network byte order; times are nanoseconds of CLOCK_BOOTTIME.
// Padding is zero. A change of any layout takes a new EVENT_RECORD_VERSION.
#pragma once

#include <linux/types.h>

#define EVENT_RECORD_VERSION 2

// The numbers of model::SocketEventKind and, from 16 on, of model::ProcessEventKind.
enum event_kind {
  EVENT_BOUND = 1,
  EVENT_LISTENING = 2,
  EVENT_CONNECTED = 3,
  EVENT_ACCEPTED = 4,
  EVENT_CLOSED = 5,
  EVENT_CONNECT_FAILED = 6,
  EVENT_BIND_FAILED = 7,
  EVENT_RESET_SENT = 8,
  EVENT_FORK = 17,
  EVENT_EXEC = 18,
  EVENT_EXIT = 19,
};

struct event_head {
  __u16 size;  // of the whole record
  __u8 version;
  __u8 kind;
  __u32 netns;  // inode of the network namespace, 0 for processes
  __u64 time_ns;
};

// A process as the recorder numbers processes; tgid 0 = nobody.
struct event_actor {
  __u64 start_time_ns;  // of the thread group's leader
  __u64 cgroup_id;
  __u32 tgid;
  __u32 uid;         // the effective user's, as /proc has it
  char command[16];  // comm of the acting thread, NUL-padded
};

// Of whom socket_event_record's `actor` speaks.
enum socket_event_flags {
  EVENT_ACTOR_CREATED = 1,  // who acts has made the socket too
  EVENT_CREATOR_ONLY = 2,   // it is who made the socket; nobody acts
};

struct socket_event_record {
  struct event_head head;
  __u64 cookie;
  __u64 created_ns;  // 0 = made before the recorder looked
  struct event_actor actor;
  __u32 interface;
  __u16 local_port;
  __u16 remote_port;
  __u16 protocol;  // IPPROTO_*
  __u8 family;     // AF_INET or AF_INET6
  __u8 flags;      // enum socket_event_flags
  __u32 error;     // errno of a failed connect or bind, 0 = not known
  __u8 local_ipv4[4];
  __u8 remote_ipv4[4];
};

// TCP, at close.
struct socket_event_totals {
  __u64 bytes_sent;
  __u64 bytes_received;
  __u32 rtt_us;
  __u32 retransmits;
};

struct socket_event_rest {
  __u8 local_ipv6[16];
  __u8 remote_ipv6[16];
  struct event_actor creator;  // unless the flags tell who it is
};

struct closing_event_record {
  struct socket_event_record socket;
  struct socket_event_totals totals;
};

struct whole_event_record {
  struct socket_event_record socket;
  struct socket_event_totals totals;
  struct socket_event_rest rest;
};

struct reset_event_record {
  struct event_head head;
  __u16 local_port;
  __u16 remote_port;
  __u8 family;
  __u8 reserved[3];
  __u8 local_address[16];
  __u8 remote_address[16];
};

#define EVENT_EXE_BYTES 128

struct process_event_record {
  struct event_head head;
  struct event_actor process;
  __u64 parent_start_time_ns;
  __u32 parent_tgid;
  __u32 reserved;
  char exe[EVENT_EXE_BYTES];  // what execve was given, cut and NUL-terminated; empty but for EXEC
};

#ifdef __cplusplus
#define EVENT_RECORD_ASSERT static_assert
#else
#define EVENT_RECORD_ASSERT _Static_assert
#endif
EVENT_RECORD_ASSERT(sizeof(struct event_head) == 16, "layout of event_head");
EVENT_RECORD_ASSERT(sizeof(struct event_actor) == 40, "layout of event_actor");
EVENT_RECORD_ASSERT(sizeof(struct socket_event_record) == 96, "layout of socket_event_record");
EVENT_RECORD_ASSERT(__builtin_offsetof(struct socket_event_record, actor) == 32, "layout");
EVENT_RECORD_ASSERT(__builtin_offsetof(struct socket_event_record, local_ipv4) == 88, "layout");
EVENT_RECORD_ASSERT(sizeof(struct closing_event_record) == 120, "layout of closing_event_record");
EVENT_RECORD_ASSERT(sizeof(struct whole_event_record) == 192, "layout of whole_event_record");
EVENT_RECORD_ASSERT(__builtin_offsetof(struct whole_event_record, rest) == 120, "layout");
EVENT_RECORD_ASSERT(sizeof(struct reset_event_record) == 56, "layout of reset_event_record");
EVENT_RECORD_ASSERT(sizeof(struct process_event_record) == 200, "layout of process_event_record");
#undef EVENT_RECORD_ASSERT
