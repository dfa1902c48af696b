// What the maker of an odd socket knows about it: the truth that an observer is compared with. The
// records travel from the processes that hold the sockets to the one that prints them.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace odd {

/// One descriptor of one process, or (pid 0) one socket that no process holds. Plain bytes, smaller
/// than PIPE_BUF, so that processes of one case can share a pipe.
struct Observation {
  int32_t pid = 0;  ///< as /proc of the maker numbers it
  int32_t tid = 0;  ///< the thread whose descriptor table holds it; pid where all threads share one
  int32_t fd = -1;
  uint32_t uid = 0;
  uint32_t netns = 0;
  uint64_t inode = 0;
  uint64_t cookie = 0;  ///< 0 where there is no descriptor to ask; of MPTCP, not the subflow's
  sockaddr_storage local{};
  sockaddr_storage remote{};
  char protocol[8] = {};
  char state[16] = {};    ///< the words of model::state_name
  char holding[16] = {};  ///< the words of model::holding_name
  char command[16] = {};
  char skipped[96] = {};  ///< not empty: the case cannot be made here, and why
  bool mptcp = false;
};

/// Where the processes of one case put their records.
class Notebook {
 public:
  explicit Notebook(int write_end) : write_end_(write_end) {}

  /// This process holds `fd`. `own_table`: the calling thread has a descriptor table of its own.
  void hold(int fd, bool own_table = false) const;
  void write(const Observation& observation) const;
  void skip(std::string_view why) const;
  /// Of this process: the reader sees the end when every process of the case has called it.
  void close();

 private:
  int write_end_;
};

/// Everything that can be asked of an open descriptor, with holding "owned".
Observation observe(int fd, bool own_table = false);
/// The same socket, seen from where nobody holds it: no pid, no inode, no cookie.
Observation without_holder(Observation seen, std::string_view state, std::string_view holding);

void set_text(char* field, size_t size, std::string_view text);

struct Case {
  const char* name;
  const char* about;
  size_t records;  ///< how many it must yield, unless it is skipped: a process that died is noticed
  /// Runs in a process of its own, which stands still afterwards.
  void (*make)(Notebook&);
};
std::vector<Case> holder_cases();  ///< who holds a listener
std::vector<Case> state_cases();   ///< in which state a socket is

/// A child of the case's process that makes something and stands still.
pid_t helper_process(const char* command, Notebook& notebook, void (*body)(Notebook&, int),
                     int fd = -1);

}  // namespace odd
