// Our kernel programs, loaded and read: a narrow C interface over the generated skeletons, whose
// headers are not valid C++. Functions that return int return 0 or a descriptor, or -errno. Nothing
// here is shared: objects may be used by any one thread at a time, but for streams of tables.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// What a walk leaves out; all zero leaves out nothing.
struct narrowing {
  uint16_t first_port, last_port;    // descriptors alone; 0 and 0: all ports
  bool listeners_only;               // descriptors alone
  bool own_namespace_only;           // descriptors alone: of the thread that reads them
  bool asked_only;                   // sockets that were asked for
  uint64_t asked_first, asked_last;  // of their keys, the smallest and the largest
  bool some_by_inode;                // descriptors alone: some of those by inode
  bool facts_always;  // tables alone: also of sockets that a descriptor should lead to
};

// ---- descriptors
struct descriptor_programs;

int descriptors_load(struct descriptor_programs** loaded);
void descriptors_free(struct descriptor_programs* loaded);

// For all streams that are read from here on: one narrowing at a time.
void descriptors_narrow(struct descriptor_programs* loaded, const struct narrowing* narrowing);

// Asks for a socket by table_record::socket, or by its inode through descriptors_key_of_inode().
// -E2BIG when there is no room for more.
static inline uint64_t descriptors_key_of_inode(uint64_t inode) {
  return inode | UINT64_C(1) << 63;
}
int descriptors_ask(struct descriptor_programs* loaded, uint64_t key);
void descriptors_ask_no_more(struct descriptor_programs* loaded, uint64_t key);

// A stream of struct socket_record, to be read by one thread at a time.
int descriptors_open(struct descriptor_programs* loaded);

// ---- tables
struct table_programs;

int tables_load(struct table_programs** loaded);
void tables_free(struct table_programs* loaded);
void tables_narrow(struct table_programs* loaded, const struct narrowing* narrowing);
int tables_ask(struct table_programs* loaded, uint64_t cookie);
void tables_ask_no_more(struct table_programs* loaded, uint64_t cookie);

// Streams of struct socket_listing, from the tables of the network namespace that the calling
// thread is in; listeners come before all other TCP sockets. Any thread may open and read one.
int tables_open_tcp(struct table_programs* loaded);
int tables_open_udp(struct table_programs* loaded);

// ---- recorder
struct recorder_programs;

struct recorder_settings {
  uint32_t ring_bytes;  // a power of two, whole pages
  uint32_t pid_level;   // nesting of the recorder's PID namespace, 0 = the first
  int cgroup_fd;        // the root of the cgroup v2 hierarchy
  int old_kernel;       // 1 = do without what kernels before Linux 6.2 lack
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
