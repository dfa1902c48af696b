// Wrappers that hand every call on to an object that somebody else owns: what a maker returns when
// the test wants to keep the object itself.
#pragma once

#include <string>
#include <vector>

#include "ports/event_source.h"
#include "ports/timeline.h"

namespace testkit {

class ForwardEvents final : public ports::EventSource {
 public:
  explicit ForwardEvents(ports::EventSource& target) : target_(target) {}
  base::Result<bool> drain(std::vector<model::Event>& into, size_t limit) override {
    return target_.drain(into, limit);
  }
  model::LossCounters losses() override { return target_.losses(); }
  [[nodiscard]] model::CollectorReport report() const override { return target_.report(); }

 private:
  ports::EventSource& target_;
};

class ForwardWriter final : public ports::TimelineWriter {
 public:
  explicit ForwardWriter(ports::TimelineWriter& target) : target_(target) {}
  base::Result<Boot> begin_boot(const std::string& boot_id, int64_t boot_time_us) override {
    return target_.begin_boot(boot_id, boot_time_us);
  }
  base::Result<ports::LeftOpen> open_sockets() override { return target_.open_sockets(); }
  base::Result<void> write(const ports::TimelineBatch& batch) override {
    return target_.write(batch);
  }
  base::Result<bool> retain(const ports::RetentionPolicy& policy, int64_t now_us) override {
    return target_.retain(policy, now_us);
  }

 private:
  ports::TimelineWriter& target_;
};

class ForwardReader final : public ports::TimelineReader {
 public:
  explicit ForwardReader(ports::TimelineReader& target) : target_(target) {}
  base::Result<ports::TimelineAnswer> find(const ports::TimelineQuery& query) override {
    return target_.find(query);
  }
  base::Result<ports::TimelineStatus> status() override { return target_.status(); }

 private:
  ports::TimelineReader& target_;
};

}  // namespace testkit
