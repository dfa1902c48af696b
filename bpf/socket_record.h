// The records that our kernel programs hand to user space. C for BPF and C++ for us read this one
// file; both sides check the layout. src/format/socket_record.h is the decoder, and
// docs/formats/socket-record.md says more.
//
//   descriptor stream := { socket_record }
//   table stream      := { socket_listing | table_record }
//
// Integers are in host byte order, since the bytes never leave the machine that made them; ports
// are plain numbers; addresses are in network byte order. Padding is zero. A change of either
// layout takes a new SOCKET_RECORD_VERSION.
#pragma once

#include <linux/types.h>

#define SOCKET_RECORD_VERSION 2

enum socket_facts_flags {
  SOCKET_FACTS_V6ONLY = 1,  // bound to IPv6 only; set for AF_INET6 alone
};

// What a socket is.
struct socket_facts {
  __u32 netns;  // inode of the network namespace; 0 in a table, which is all of one namespace
  __u32 uid;
  __u32 interface;
  __u32 receive_queue;
  __u32 send_queue;
  __u16 local_port;
  __u16 remote_port;
  __u16 protocol;  // IPPROTO_*; more than a byte, since IPPROTO_MPTCP is 262
  __u8 type;       // SOCK_STREAM, SOCK_DGRAM or SOCK_RAW
  __u8 family;     // AF_INET or AF_INET6
  __u8 state;      // enum of include/net/tcp_states.h
  __u8 flags;
  __u8 reserved[2];
  __u8 local_address[16];  // AF_INET uses the first four bytes
  __u8 remote_address[16];
};

// One descriptor of one descriptor table: who holds what. Process numbers are those of the reader's
// PID namespace.
struct socket_record {
  __u16 size;  // of this record
  __u8 version;
  __u8 reserved;
  __u32 tgid;
  __u32 tid;  // the thread whose descriptor table was read
  __u32 fd;
  __u64 start_time_ns;  // of the thread group's leader: since boot, by the reader's clock
  __u64 cookie;         // never 0
  __u64 inode;          // never 0
  struct socket_facts facts;
  char command[16];  // comm of the thread group's leader, NUL-terminated
};

// What the kernel's structure says about who holds a socket.
enum socket_evidence_flags {
  SOCKET_EVIDENCE_SOCKET = 1,  // the protocol's half still has a socket half
  SOCKET_EVIDENCE_FILE = 2,    // and that has a file: somebody holds it
  SOCKET_EVIDENCE_KERNEL = 4,  // the kernel opened it for itself
  SOCKET_EVIDENCE_MPTCP = 8,   // a subflow of a Multipath TCP socket
};

// One socket of a table. Where somebody should hold a descriptor for it, the record of that
// descriptor has the facts, and there is no need for a second copy; else a table_record has them.
struct socket_listing {
  __u16 size;  // of this record, or of the table_record that it begins
  __u8 version;
  __u8 flags;  // enum socket_evidence_flags; without facts just SOCKET
  __u32 reserved;
  __u64 cookie;  // never 0
  __u64 inode;   // 0 where no descriptor can lead to it, and without facts
};

struct table_record {
  struct socket_listing listing;
  struct socket_facts facts;
  __u64 socket;  // where the half is in memory that descriptors lead to: to ask for it; 0 = none
};

#ifdef __cplusplus
#define SOCKET_RECORD_ASSERT static_assert
#else
#define SOCKET_RECORD_ASSERT _Static_assert
#endif
SOCKET_RECORD_ASSERT(sizeof(struct socket_facts) == 64, "layout of socket_facts");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_facts, local_port) == 20, "layout");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_facts, type) == 26, "layout");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_facts, flags) == 29, "layout");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_facts, local_address) == 32, "layout");
SOCKET_RECORD_ASSERT(sizeof(struct socket_record) == 120, "layout of socket_record");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_record, start_time_ns) == 16, "layout");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_record, facts) == 40, "layout");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_record, command) == 104, "layout");
SOCKET_RECORD_ASSERT(sizeof(struct socket_listing) == 24, "layout of socket_listing");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct socket_listing, cookie) == 8, "layout");
SOCKET_RECORD_ASSERT(sizeof(struct table_record) == 96, "layout of table_record");
SOCKET_RECORD_ASSERT(__builtin_offsetof(struct table_record, socket) == 88, "layout");
#undef SOCKET_RECORD_ASSERT
