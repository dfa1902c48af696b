// What a walk is to come by, set by user space before each: shared by the walks of descriptors and
// of tables. For BPF programs alone.
#pragma once

#include "socket_fields.h"

bool asked_only = false;  // sockets in `asked`

// The smallest and the largest key in `asked`. Mostly there are few, and nearly every socket is
// none of them: comparing spares looking.
__u64 asked_first = 0;
__u64 asked_last = 0;

#define ASKED_MAX 16384

// The sockets in question: in tables by cookie, through descriptors by where they are in memory or
// by inode, with a mark. Room is taken as it is needed.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, ASKED_MAX);
  __type(key, __u64);
  __type(value, __u8);
} asked SEC(".maps");

static __always_inline bool is_asked(__u64 key) {
  return key >= asked_first && key <= asked_last && bpf_map_lookup_elem(&asked, &key);
}
