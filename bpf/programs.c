#include "programs.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

// Generated in the build tree; they rely on the three headers above.
#include "second_look.lskel.h"
#include "sockets.lskel.h"

// The one system call for which a light skeleton brings no function.
static int open_stream(int link_fd) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.iter_create.link_fd = link_fd;
  const int fd = skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof attr.iter_create);
  return fd < 0 ? -errno : fd;
}

int sockets_load(struct sockets_programs** loaded) {
  struct sockets_programs* programs = sockets_programs__open();
  if (!programs) return -ENOMEM;
  int result = sockets_programs__load(programs);
  if (result >= 0 && sockets_programs__attach(programs) < 0) result = -errno;
  if (result < 0) {
    sockets_programs__destroy(programs);
    return result;
  }
  *loaded = programs;
  return 0;
}

void sockets_free(struct sockets_programs* loaded) { sockets_programs__destroy(loaded); }

int sockets_open(struct sockets_programs* loaded, const struct sockets_narrowing* narrowing) {
  loaded->bss->first_port = narrowing->first_port;
  loaded->bss->last_port = narrowing->last_port;
  loaded->bss->listeners_only = narrowing->listeners_only;
  loaded->bss->own_namespace_only = narrowing->own_namespace_only;
  loaded->bss->reader.is_known = false;
  return open_stream(loaded->links.read_descriptors_fd);
}

int second_look_load(uint32_t questions_max, struct second_look_programs** loaded) {
  struct second_look_programs* programs = second_look_programs__open();
  if (!programs) return -ENOMEM;
  programs->maps.asked_cookies.max_entries = questions_max;
  programs->maps.asked_inodes.max_entries = questions_max;
  programs->maps.noted_sockets.max_entries = questions_max;
  int result = second_look_programs__load(programs);
  if (result >= 0 && second_look_programs__attach(programs) < 0) result = -errno;
  if (result < 0) {
    second_look_programs__destroy(programs);
    return result;
  }
  *loaded = programs;
  return 0;
}

void second_look_free(struct second_look_programs* loaded) {
  second_look_programs__destroy(loaded);
}

static int ask(int map_fd, uint64_t key) {
  const uint8_t asked = 1;
  return skel_map_update_elem(map_fd, &key, &asked, BPF_ANY) < 0 ? -errno : 0;
}

int second_look_ask(struct second_look_programs* loaded, uint64_t cookie) {
  return ask(loaded->maps.asked_cookies.map_fd, cookie);
}

int second_look_ask_inode(struct second_look_programs* loaded, uint64_t inode) {
  loaded->bss->some_by_inode = true;
  return ask(loaded->maps.asked_inodes.map_fd, inode);
}

int second_look_open_tcp(struct second_look_programs* loaded) {
  return open_stream(loaded->links.question_tcp_fd);
}

int second_look_open_udp(struct second_look_programs* loaded) {
  return open_stream(loaded->links.question_udp_fd);
}

int second_look_open_descriptors(struct second_look_programs* loaded) {
  loaded->bss->reader.is_known = false;
  return open_stream(loaded->links.find_descriptors_fd);
}
