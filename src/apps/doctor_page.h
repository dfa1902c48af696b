// What `doctor` found, as a page and as JSON (docs/json.md, docs/schema/doctor.schema.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/page.h"
#include "base/json_writer.h"
#include "model/inventory.h"
#include "ports/doctor.h"

namespace apps {

struct DoctorAnswer {
  std::string understood;  ///< how the question was read, where that is not plain
  ports::Diagnosis diagnosis;
  uint32_t netns = 0;
  model::PortPolicy policy;
  std::optional<model::PeerProbe> peer;
  std::optional<ports::Fallback> fallback;
  model::CollectorReport report;
  std::vector<std::string> gaps;  ///< what could not be seen, in whole sentences
};

Page doctor_page(const DoctorAnswer& answer, int64_t now_unix_s);
/// The fields of the answer, into an object that is already open.
void write_doctor(base::JsonWriter& json, const DoctorAnswer& answer);

}  // namespace apps
