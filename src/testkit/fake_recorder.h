// A recorder held in memory, as those who ask it see it, and those who ask as the recorder sees
// them.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "ports/recorder_link.h"

namespace testkit {

/// What a recorder that listens at a socket would answer.
struct FakeRecorder {
  bool sees_all = true;
  uint32_t uid = 1000;  ///< of the one who asks; the timeline is narrowed to it unless he sees all
  model::RecorderStatus status;
  std::deque<model::WatchBatch> batches;  ///< what next() gives; then the recorder has ended
  std::optional<ports::TimelineQuery> watched;
};

class FakeRecorderLink final : public ports::RecorderLink {
 public:
  FakeRecorderLink(FakeRecorder& recorder, ports::TimelineReader& timeline)
      : recorder_(recorder), timeline_(timeline) {}
  [[nodiscard]] bool sees_all() const override { return recorder_.sees_all; }
  base::Result<ports::TimelineAnswer> find(const ports::TimelineQuery& query) override {
    ports::TimelineQuery own = query;
    if (!recorder_.sees_all) own.uid = recorder_.uid;
    return timeline_.find(own);
  }
  base::Result<ports::TimelineStatus> status() override { return timeline_.status(); }
  base::Result<model::RecorderStatus> recorder() override { return recorder_.status; }
  base::Result<void> watch(const ports::TimelineQuery& query) override {
    recorder_.watched = query;
    return {};
  }
  base::Result<std::optional<model::WatchBatch>> next(uint64_t) override {
    if (recorder_.batches.empty()) {
      return base::fail(base::ErrorKind::kNotFound, "the recorder has ended");
    }
    auto batch = std::move(recorder_.batches.front());
    recorder_.batches.pop_front();
    return batch;
  }

 private:
  FakeRecorder& recorder_;
  ports::TimelineReader& timeline_;
};

/// Keeps what the recorder says.
struct FakeAudience {
  bool is_watched = false;
  std::vector<model::WatchBatch> batches;
  model::RecorderStatus status;
};

class ForwardAudience final : public ports::RecorderAudience {
 public:
  explicit ForwardAudience(FakeAudience& target) : target_(target) {}
  [[nodiscard]] bool is_watched() const override { return target_.is_watched; }
  void publish(model::WatchBatch batch) override { target_.batches.push_back(std::move(batch)); }
  void tell(model::RecorderStatus status) override { target_.status = std::move(status); }

 private:
  FakeAudience& target_;
};

}  // namespace testkit
