// traffic_client: a program that lives for one connection. Only traffic_gen starts it.
// usage: traffic_client TRUTH_FD 4|6 INDEX
#include <cstdio>
#include <string_view>

#include "base/text.h"
#include "traffic_kinds.h"

int main(int count, char** arguments) {
  const auto fd = base::parse_number<int>(count == 4 ? arguments[1] : "");
  const auto index = base::parse_number<uint64_t>(count == 4 ? arguments[3] : "");
  if (!fd || !index) {
    std::fputs("usage: traffic_client TRUTH_FD 4|6 INDEX  (started by traffic_gen)\n", stderr);
    return 2;
  }
  traffic::TruthBook book = traffic::TruthBook::join(*fd);
  traffic::Scene scene{.book = book, .ipv6 = std::string_view(arguments[2]) == "6"};
  traffic::connect_once(scene, *index);
  return 0;
}
