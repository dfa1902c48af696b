#include "apps/alert_desk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "apps/look.h"
#include "base/file.h"
#include "base/text.h"
#include "format/alert_record.h"
#include "format/alert_toml.h"
#include "net/http_post.h"
#include "net/syslog.h"
#include "net/webhook.h"
#include "ports/time_query.h"

namespace apps {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kCheckEveryUs = 5 * kSecondUs;
// Facts that only go on are kept for the next run at this pace.
constexpr int64_t kSaveEveryUs = 60 * kSecondUs;
constexpr size_t kSecretMaxBytes = 4096;
constexpr size_t kSecretMinBytes = 16;

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

void add_file(std::string& out, const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return;
  out += fmt::format("{} {} {}.{} {}\n", path, status.st_ino, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec, status.st_size);
}

/// The key of a webhook: the file without the line break at its end.
base::Result<std::string> read_secret(const std::string& path) {
  auto text = base::read_file(path.c_str(), kSecretMaxBytes);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->size() < kSecretMinBytes) {
    return base::fail(base::ErrorKind::kCorrupt,
                      path + ": the key has fewer than " + std::to_string(kSecretMinBytes) +
                          " bytes; make one with `openssl rand -hex 32`");
  }
  return text;
}

// An answer by which the other side says that it will never take this message.
bool is_refusal(int status) {
  return status >= 400 && status < 500 && status != 401 && status != 403 && status != 404 &&
         status != 408 && status != 429;
}

base::Result<void> post(const model::AlertSink& sink, const Delivery& delivery, int64_t now_us,
                        const net::NameResolver& resolver) {
  const auto url = format::parse_http_url(sink.url);
  if (!url) return base::fail(base::ErrorKind::kIo, url.error().message);
  // Read each time: it may be changed while we run.
  const auto secret = read_secret(sink.secret_file);
  if (!secret) return base::fail(base::ErrorKind::kIo, secret.error().message);
  net::HttpPost request;
  request.url = *url;
  request.body = delivery.content;
  request.ca_file = sink.ca_file;
  request.given_up = delivery.given_up;
  request.resolver = resolver;
  request.headers = {{"Twinport-Alert", delivery.name},
                     {"Twinport-Signature",
                      net::webhook_signature(*secret, now_us / kSecondUs, delivery.content)}};
  const auto status = net::http_post(request);
  if (!status) return std::unexpected(status.error());
  if (*status >= 200 && *status < 300) return {};
  return base::fail(is_refusal(*status) ? base::ErrorKind::kUsage : base::ErrorKind::kIo,
                    url->authority() + " answered with status " + std::to_string(*status));
}

}  // namespace

AlertDesk::AlertDesk(Context& context)
    : context_(context),
      machine_(context.machine()),
      store_(context.state_directory),
      host_(host_name()) {
  fingerprint_ = fingerprint();
  checked_us_ = machine_.clocks().wall_us;
  read_configuration();
  engine_ = std::make_unique<ports::AlertEngine>(config_.settings, store_.read_facts());
  engine_->set_packages_known(machine_.has_package_lists());
  read_expectations();
  change_courier();
}

std::string AlertDesk::config_file() const { return context_.config_directory + "/alerts.toml"; }

std::string AlertDesk::fingerprint() const {
  std::string out;
  add_file(out, config_file());
  add_file(out, expectations_file(context_.config_directory));
  std::error_code error;
  std::filesystem::directory_iterator entries(context_.config_directory + "/expectations.d", error);
  for (const std::filesystem::directory_iterator end; !error && entries != end;
       entries.increment(error)) {
    add_file(out, entries->path().string());
  }
  return out;
}

void AlertDesk::read_configuration() {
  const auto text = base::read_file(config_file().c_str(), format::kAlertConfigMaxBytes);
  auto config = format::parse_alert_config(text ? std::string_view(*text) : std::string_view());
  std::string trouble;
  if (!text && text.error().kind != base::ErrorKind::kNotFound) trouble = text.error().message;
  if (!config) trouble = config_file() + ": " + config.error().message;
  std::vector<Mute> mutes;
  if (config) {
    for (const model::AlertMute& mute : config->mutes) {
      const int64_t now_us = machine_.clocks().wall_us;
      const auto from = ports::parse_time(mute.from, now_us);
      const auto until = ports::parse_time(mute.until, now_us);
      if (!from || !until) {
        trouble = config_file() + ": line " + std::to_string(mute.line) + ": " +
                  (from ? until : from).error().message;
        break;
      }
      mutes.push_back({{{from->front().from_us, until->back().until_us}}, mute.rules});
    }
  }
  if (!trouble.empty()) {
    context_.warn(trouble + (config_.sinks.empty() ? "; alerts are printed only"
                                                   : "; alerts go on as configured before"));
    if (!config_.sinks.empty()) return;
    config = format::parse_alert_config("");
    mutes.clear();
  }
  config_ = std::move(*config);
  mutes_ = std::move(mutes);
}

void AlertDesk::read_expectations() {
  auto loaded = load_expectations(context_.config_directory);
  if (!loaded) {
    context_.warn(loaded.error().message + (judge_ == nullptr
                                                ? "; no alert is made by expectations"
                                                : "; the expectations of before stay in force"));
    return;
  }
  auto expectations = std::make_unique<LoadedExpectations>(std::move(*loaded));
  auto judge = std::make_unique<ports::Judge>(expectations->all, expectations->loaded());
  engine_->judge_by(judge.get());
  judge_ = std::move(judge);
  expectations_ = std::move(expectations);
}

// One that is in the middle of something ends in its own time, for which the recorder cannot wait;
// and two at once would deliver twice.
void AlertDesk::change_courier() {
  if (courier_ != nullptr && !courier_->ended()) return courier_->stop();
  courier_is_stale_ = false;
  start_courier();
}

void AlertDesk::start_courier() {
  courier_.reset();
  std::vector<CourierRoute> routes;
  for (const model::AlertSink& sink : config_.sinks) {
    if (sink.kind == model::AlertSinkKind::kStdout) continue;
    if (sink.kind == model::AlertSinkKind::kSyslog) {
      routes.push_back({sink.name, [](const Delivery& delivery) {
                          return net::send_to_syslog(delivery.content);
                        }});
      continue;
    }
    routes.push_back({sink.name, [sink, this](const Delivery& delivery) {
                        return post(sink, delivery, machine_.clocks().wall_us, resolver_);
                      }});
  }
  if (routes.empty()) return;
  CourierTiming timing;
  timing.now_us = [this] { return machine_.clocks().wall_us; };
  courier_ = std::make_unique<AlertCourier>(store_, std::move(routes), std::move(timing));
}

void AlertDesk::take(const ports::TimelineBatch& batch, const ports::Recorder& recorder) {
  engine_->take(batch, [&recorder](int64_t id) { return recorder.process(id); });
}

void AlertDesk::look(model::Inventory inventory) {
  LookRequest request;
  request.packages = judge_ != nullptr && judge_->needs_packages();
  complete_inventory(inventory, request, context_);
  engine_->look(inventory, machine_.clocks().wall_us);
}

void AlertDesk::step() {
  const int64_t now_us = machine_.clocks().wall_us;
  if (now_us - checked_us_ >= kCheckEveryUs || now_us < checked_us_) {
    checked_us_ = now_us;
    std::string found = fingerprint();
    if (found != fingerprint_) {
      fingerprint_ = std::move(found);
      tell_all(engine_->take_waiting());
      const auto before = std::move(engine_);
      read_configuration();
      engine_ = std::make_unique<ports::AlertEngine>(config_.settings, before->told());
      engine_->set_packages_known(machine_.has_package_lists());
      engine_->set_namespaces(before->namespaces());
      if (judge_ != nullptr) engine_->judge_by(judge_.get());
      read_expectations();
      courier_is_stale_ = true;
    }
  }
  const std::vector<model::Alert> alerts = engine_->take_alerts(now_us);
  tell_all(alerts);
  // After the queues: told twice is better than never.
  if (!alerts.empty() || now_us - saved_us_ >= kSaveEveryUs || now_us < saved_us_) save();
  if (courier_ != nullptr) {
    for (const std::string& notice : courier_->take_notices()) context_.warn(notice);
  }
  if (courier_is_stale_) change_courier();
}

void AlertDesk::finish() {
  step();
  tell_all(engine_->take_waiting());
  save();
}

void AlertDesk::tell_all(const std::vector<model::Alert>& alerts) {
  for (const model::Alert& alert : alerts) {
    if (!is_muted(alert)) tell(alert);
  }
}

void AlertDesk::save() {
  if (!engine_->take_changed()) return;
  saved_us_ = machine_.clocks().wall_us;
  if (auto saved = store_.write_facts(engine_->told()); !saved) warn_once(saved.error().message);
}

bool AlertDesk::is_muted(const model::Alert& alert) const {
  return std::ranges::any_of(mutes_, [&](const Mute& mute) {
    const bool meant =
        mute.rules.empty() || std::ranges::find(mute.rules, alert.rule) != mute.rules.end();
    return meant && std::ranges::any_of(mute.windows, [&](model::TimeWindow window) {
             return alert.time_us >= window.from_us && alert.time_us <= window.until_us;
           });
  });
}

void AlertDesk::tell(model::Alert alert) {
  ++told_;
  // Names sort by time; the clock may stand still or be set back, so a number follows.
  alert.id = fmt::format("{:016}-{:04}", machine_.clocks().wall_us, told_ % 10'000);
  if (auto logged = store_.append_log(alert); !logged) warn_once(logged.error().message);
  for (const model::AlertSink& sink : config_.sinks) {
    if (!sink.wants(alert.rule)) continue;
    if (sink.kind == model::AlertSinkKind::kStdout) {
      print(alert);
    } else {
      queue(sink, alert);
    }
  }
}

void AlertDesk::print(const model::Alert& alert) {
  // With --json standard output is one document.
  Output& out = context_.json ? context_.err : context_.out;
  const Style& style = context_.json ? context_.error_style : context_.style;
  out << ports::local_time_text(alert.time_us, 0) << " " << style("alert", Tone::kBad) << " "
      << format::alert_as_line(alert) << "\n";
  out.flush();
}

void AlertDesk::queue(const model::AlertSink& sink, const model::Alert& alert) {
  const std::string message = sink.kind == model::AlertSinkKind::kWebhook
                                  ? format::alert_as_json(alert, host_)
                                  : format::alert_as_line(alert);
  const auto dropped = store_.put(sink.name, alert.id, message);
  if (!dropped) {
    warn_once(dropped.error().message);
    return;
  }
  if (*dropped > 0) {
    warn_once("too many alerts wait for " + sink.name + "; the oldest are dropped");
  }
  if (courier_ != nullptr) courier_->wake();
}

void AlertDesk::warn_once(const std::string& sentence) {
  if (sentence == last_warning_) return;
  last_warning_ = sentence;
  context_.warn(sentence);
}

}  // namespace apps
