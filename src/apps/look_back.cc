#include "apps/look_back.h"

#include <utility>
#include <vector>

#include "apps/timeline_access.h"
#include "ports/time_query.h"

namespace apps {

base::Result<ports::PastAnswer> look_back(ports::PortQuery port,
                                          std::optional<ports::PeerFilter> peer,
                                          const std::string& at, Context& context) {
  const int64_t now_us = context.machine().clocks().wall_us;
  auto windows = ports::parse_time(at, now_us);
  if (!windows) return std::unexpected(windows.error());
  ports::PastQuestion question{std::move(port), peer, std::move(*windows)};
  auto timeline = open_timeline(context);
  if (!timeline) {
    if (timeline.error().kind != base::ErrorKind::kNotFound) {
      return std::unexpected(timeline.error());
    }
    return ports::past_unknown(std::move(question));
  }
  std::vector<ports::TimelineAnswer> answers;
  for (const auto& query : ports::past_queries(question)) {
    auto answer = timeline->reader->find(query);
    if (!answer) return std::unexpected(answer.error());
    answers.push_back(std::move(*answer));
  }
  auto past = ports::past_answer(std::move(question), std::move(answers), now_us);
  past.own_only = !timeline->sees_all;
  past.own_netns = context.machine().own_netns();
  return past;
}

}  // namespace apps
