#include "programs.h"

#include <unistd.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// Generated in the build tree; they rely on the headers above.
#include "descriptors.lskel.h"
#include "recorder.lskel.h"
#include "tables.lskel.h"

// The one system call for which a light skeleton brings no function.
static int open_stream(int link_fd) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.iter_create.link_fd = link_fd;
  const int fd = skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof attr.iter_create);
  return fd < 0 ? -errno : fd;
}

static int ask(int map_fd, uint64_t key) {
  const uint8_t asked = 1;
  return skel_map_update_elem(map_fd, &key, &asked, BPF_ANY) < 0 ? -errno : 0;
}

// ---- descriptors ------------------------------------------------------------------------------

int descriptors_load(struct descriptor_programs** loaded) {
  struct descriptor_programs* programs = descriptor_programs__open();
  if (!programs) return -ENOMEM;
  int result = descriptor_programs__load(programs);
  if (result >= 0 && descriptor_programs__attach(programs) < 0) result = -errno;
  if (result < 0) {
    descriptor_programs__destroy(programs);
    return result;
  }
  *loaded = programs;
  return 0;
}

void descriptors_free(struct descriptor_programs* loaded) { descriptor_programs__destroy(loaded); }

void descriptors_narrow(struct descriptor_programs* loaded, const struct narrowing* narrowing) {
  loaded->bss->first_port = narrowing->first_port;
  loaded->bss->last_port = narrowing->last_port;
  loaded->bss->listeners_only = narrowing->listeners_only;
  loaded->bss->own_namespace_only = narrowing->own_namespace_only;
  loaded->bss->asked_only = narrowing->asked_only;
  loaded->bss->asked_first = narrowing->asked_first;
  loaded->bss->asked_last = narrowing->asked_last;
  loaded->bss->some_by_inode = narrowing->some_by_inode;
}

int descriptors_ask(struct descriptor_programs* loaded, uint64_t key) {
  return ask(loaded->maps.asked.map_fd, key);
}

void descriptors_ask_no_more(struct descriptor_programs* loaded, uint64_t key) {
  skel_map_delete_elem(loaded->maps.asked.map_fd, &key);
}

int descriptors_open(struct descriptor_programs* loaded) {
  loaded->bss->reader.is_known = false;
  return open_stream(loaded->links.read_descriptors_fd);
}

// ---- tables -----------------------------------------------------------------------------------

int tables_load(struct table_programs** loaded) {
  struct table_programs* programs = table_programs__open();
  if (!programs) return -ENOMEM;
  int result = table_programs__load(programs);
  if (result >= 0 && table_programs__attach(programs) < 0) result = -errno;
  if (result < 0) {
    table_programs__destroy(programs);
    return result;
  }
  *loaded = programs;
  return 0;
}

void tables_free(struct table_programs* loaded) { table_programs__destroy(loaded); }

void tables_narrow(struct table_programs* loaded, const struct narrowing* narrowing) {
  loaded->bss->asked_only = narrowing->asked_only;
  loaded->bss->asked_first = narrowing->asked_first;
  loaded->bss->asked_last = narrowing->asked_last;
  loaded->bss->facts_always = narrowing->facts_always;
}

int tables_ask(struct table_programs* loaded, uint64_t cookie) {
  return ask(loaded->maps.asked.map_fd, cookie);
}

void tables_ask_no_more(struct table_programs* loaded, uint64_t cookie) {
  skel_map_delete_elem(loaded->maps.asked.map_fd, &cookie);
}

int tables_open_tcp(struct table_programs* loaded) {
  return open_stream(loaded->links.list_tcp_fd);
}

int tables_open_udp(struct table_programs* loaded) {
  return open_stream(loaded->links.list_udp_fd);
}

// ---- recorder --------------------------------------------------------------------------------

enum { CGROUP_PROGRAMS = 9 };

struct recorder_programs {
  struct recorder_skeleton* skeleton;
  int cgroup_links[CGROUP_PROGRAMS];
};

// The other system call that a light skeleton leaves to its user: cgroup programs are attached to a
// folder of the caller's choice.
static int link_to_cgroup(int program_fd, int cgroup_fd, enum bpf_attach_type type) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.link_create.prog_fd = program_fd;
  attr.link_create.target_fd = cgroup_fd;
  attr.link_create.attach_type = type;
  const int fd = skel_sys_bpf(BPF_LINK_CREATE, &attr, sizeof attr.link_create);
  return fd < 0 ? -errno : fd;
}

static int link_all(struct recorder_programs* programs, int cgroup_fd) {
  const struct recorder_skeleton* skeleton = programs->skeleton;
  // In the order in which a socket meets them, backwards: an event must not come before the hooks
  // that explain it.
  const struct {
    int fd;
    enum bpf_attach_type type;
  } all[CGROUP_PROGRAMS] = {
      {skeleton->progs.on_release.prog_fd, BPF_CGROUP_INET_SOCK_RELEASE},
      {skeleton->progs.on_tcp.prog_fd, BPF_CGROUP_SOCK_OPS},
      {skeleton->progs.on_sendmsg4.prog_fd, BPF_CGROUP_UDP4_SENDMSG},
      {skeleton->progs.on_sendmsg6.prog_fd, BPF_CGROUP_UDP6_SENDMSG},
      {skeleton->progs.on_bound4.prog_fd, BPF_CGROUP_INET4_POST_BIND},
      {skeleton->progs.on_bound6.prog_fd, BPF_CGROUP_INET6_POST_BIND},
      {skeleton->progs.on_bind4.prog_fd, BPF_CGROUP_INET4_BIND},
      {skeleton->progs.on_bind6.prog_fd, BPF_CGROUP_INET6_BIND},
      {skeleton->progs.on_create.prog_fd, BPF_CGROUP_INET_SOCK_CREATE},
  };
  for (int i = 0; i < CGROUP_PROGRAMS; ++i) {
    const int fd = link_to_cgroup(all[i].fd, cgroup_fd, all[i].type);
    if (fd < 0) return fd;
    programs->cgroup_links[i] = fd;
  }
  return recorder_skeleton__attach(programs->skeleton) < 0 ? -errno : 0;
}

static int load_recorder(struct recorder_programs* programs, uint32_t ring_bytes, int can_cast) {
  programs->skeleton = recorder_skeleton__open();
  if (!programs->skeleton) return -ENOMEM;
  programs->skeleton->maps.events.max_entries = ring_bytes;
  programs->skeleton->rodata->can_cast = can_cast;
  const int result = recorder_skeleton__load(programs->skeleton);
  if (result < 0) {
    recorder_skeleton__destroy(programs->skeleton);
    programs->skeleton = NULL;
  }
  return result;
}

int recorder_load(const struct recorder_settings* settings, struct recorder_programs** loaded) {
  struct recorder_programs* programs = calloc(1, sizeof *programs);
  if (!programs) return -ENOMEM;
  for (int i = 0; i < CGROUP_PROGRAMS; ++i) programs->cgroup_links[i] = -1;
  // That a kernel lacks the cast shows in nothing but its refusal.
  int result = load_recorder(programs, settings->ring_bytes, !settings->old_kernel);
  if (result < 0 && !settings->old_kernel)
    result = load_recorder(programs, settings->ring_bytes, 0);
  if (result >= 0) {
    programs->skeleton->bss->pid_level = settings->pid_level;
    result = link_all(programs, settings->cgroup_fd);
  }
  if (result < 0) {
    recorder_free(programs);
    return result;
  }
  *loaded = programs;
  return 0;
}

void recorder_free(struct recorder_programs* loaded) {
  if (!loaded) return;
  for (int i = 0; i < CGROUP_PROGRAMS; ++i) {
    if (loaded->cgroup_links[i] >= 0) close(loaded->cgroup_links[i]);
  }
  if (loaded->skeleton) recorder_skeleton__destroy(loaded->skeleton);
  free(loaded);
}

int recorder_ring(const struct recorder_programs* loaded) {
  return loaded->skeleton->maps.events.map_fd;
}

static uint64_t recursion_misses(int program_fd) {
  struct bpf_prog_info info;
  memset(&info, 0, sizeof info);
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.info.bpf_fd = program_fd;
  attr.info.info_len = sizeof info;
  attr.info.info = (uint64_t)(uintptr_t)&info;
  if (skel_sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr.info) < 0) return 0;
  return info.recursion_misses;
}

struct recorder_losses recorder_losses(const struct recorder_programs* loaded) {
  const struct recorder_skeleton* skeleton = loaded->skeleton;
  struct recorder_losses losses = {
      .ring_full = __atomic_load_n(&skeleton->bss->ring_full, __ATOMIC_RELAXED),
      .storage_full = __atomic_load_n(&skeleton->bss->storage_full, __ATOMIC_RELAXED),
  };
  // cgroup programs are never skipped; those on tracepoints are, and only the kernel counts it.
  losses.recursion_misses = recursion_misses(skeleton->progs.on_reset.prog_fd) +
                            recursion_misses(skeleton->progs.on_fork.prog_fd) +
                            recursion_misses(skeleton->progs.on_exec.prog_fd) +
                            recursion_misses(skeleton->progs.on_exit.prog_fd);
  return losses;
}
