#include "server/base/field_counter.h"

namespace ipp {

void FieldCounter::Count(absl::string_view path, absl::string_view trace_id) {
  std::string field(path);
  bool first = false;
  {
    MutexLock lock(&mutex_);
    if (fields_.size() < kMaxFields) {
      first = fields_.insert(field).second;
    } else if (!fields_.contains(field)) {
      field = "other";
    }
  }
  if (first) Log(level_, line_, {{"field", field}, {"trace_id", std::string(trace_id)}});
  metrics_->counter(metric_, help_, {{"field", field}}).Add();
}

}  // namespace ipp
