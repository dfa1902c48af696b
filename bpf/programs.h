// Our kernel programs, loaded and read: a narrow C interface over the generated skeletons, whose
// headers are not valid C++. Functions that return int return 0 or a descriptor, or -errno. Nothing
// here is shared: objects may be used by any one thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockets_programs;

int sockets_load(struct sockets_programs** loaded);
void sockets_free(struct sockets_programs* loaded);

// What to leave out; all zero leaves out nothing.
struct sockets_narrowing {
  uint16_t first_port, last_port;  // 0 and 0: all ports
  bool listeners_only;
  bool own_namespace_only;  // of the thread that reads the stream
};

// A stream of struct socket_record: see sockets.bpf.c. It must be read to its end before the next
// is opened, since the programs have one narrowing.
int sockets_open(struct sockets_programs* loaded, const struct sockets_narrowing* narrowing);

struct second_look_programs;

// Room for this many sockets in question.
int second_look_load(uint32_t questions_max, struct second_look_programs** loaded);
void second_look_free(struct second_look_programs* loaded);

// Before the tables are opened.
int second_look_ask(struct second_look_programs* loaded, uint64_t cookie);

// Streams of struct socket_evidence, for the cookies asked for, from the tables of the network
// namespace that the calling thread is in. A read of one record's size returns as soon as there is
// one, so whoever has all his answers may stop there.
int second_look_open_tcp(struct second_look_programs* loaded);
int second_look_open_udp(struct second_look_programs* loaded);

// Before the descriptors are opened: for a socket that the tables do not show.
int second_look_ask_inode(struct second_look_programs* loaded, uint64_t inode);

// A stream of struct socket_record: of every socket that the tables showed, and of the inodes
// asked for.
int second_look_open_descriptors(struct second_look_programs* loaded);

struct recorder_programs;

struct recorder_settings {
  uint32_t ring_bytes;  // a power of two, whole pages
  uint32_t pid_level;   // nesting of the recorder's PID namespace, 0 = the first
  int cgroup_fd;        // the root of the cgroup v2 hierarchy
};

// Events that found no place, since the programs were loaded.
struct recorder_losses {
  uint64_t ring_full, storage_full, recursion_misses;
};

// Loads and attaches: from here on events run into the ring. Everything goes with recorder_free, or
// with the process.
int recorder_load(const struct recorder_settings* settings, struct recorder_programs** loaded);
void recorder_free(struct recorder_programs* loaded);

// The descriptor of the ring's map; it stays the programs'.
int recorder_ring(const struct recorder_programs* loaded);
struct recorder_losses recorder_losses(const struct recorder_programs* loaded);

#ifdef __cplusplus
}
#endif
