#include "simulator/fault_rule.h"

#include <algorithm>
#include <utility>

#include "simulator/webhook_signer.h"

namespace ipp::simulator {
namespace {

constexpr int64_t kMaxCount = 1'000'000'000;
constexpr int64_t kMaxDelayMs = 600'000;
constexpr int64_t kMaxBytes = 16 * 1024 * 1024;
constexpr int64_t kMaxAgeSeconds = 1'000'000'000;
constexpr int64_t kMaxRetryAfter = 86'400;
constexpr std::string_view kWebhook = "webhook";
constexpr std::string_view kEvery = "*";
// Not a secret of the default set-up: a receiver does not know it unless it is configured.
constexpr std::string_view kDefaultNextSecret =
    "whsec_aXBwLXNpbXVsYXRvci1kZWZhdWx0LXNlY3JldC0wMDI=";

struct KindRow {
  FaultKind kind;
  std::string_view name;
  FaultPoint point;
  int64_t default_delay_ms = 0;
};

constexpr KindRow kKinds[] = {
    {FaultKind::kRefuseConnection, "refuse_connection", FaultPoint::kConnection},
    {FaultKind::kDelay, "delay", FaultPoint::kRequest, 1000},
    {FaultKind::kResetBeforeRead, "reset_before_read", FaultPoint::kRequest},
    {FaultKind::kResetAfterRead, "reset_after_read", FaultPoint::kRequest},
    {FaultKind::kCloseAfterRead, "close_after_read", FaultPoint::kRequest},
    {FaultKind::kErrorBefore, "error_before", FaultPoint::kRequest},
    {FaultKind::kErrorAfter, "error_after", FaultPoint::kRequest},
    {FaultKind::kCutBody, "cut_body", FaultPoint::kRequest},
    {FaultKind::kMalformedJson, "malformed_json", FaultPoint::kRequest},
    {FaultKind::kSlowBody, "slow_body", FaultPoint::kRequest, 1000},
    {FaultKind::kTooMany, "too_many", FaultPoint::kRequest},
    {FaultKind::kHang, "hang", FaultPoint::kRequest},
    {FaultKind::kRefuseStream, "refuse_stream", FaultPoint::kStream},
    {FaultKind::kGoAway, "goaway", FaultPoint::kStream},
    {FaultKind::kLose, "lose", FaultPoint::kDelivery},
    {FaultKind::kDouble, "double", FaultPoint::kDelivery},
    {FaultKind::kLate, "late", FaultPoint::kDelivery, 1000},
    {FaultKind::kReorder, "reorder", FaultPoint::kDelivery, 1000},
    {FaultKind::kBadSignature, "bad_signature", FaultPoint::kAttempt},
    {FaultKind::kRotatedSecret, "rotated_secret", FaultPoint::kAttempt},
    {FaultKind::kHuge, "huge", FaultPoint::kAttempt},
    {FaultKind::kStaleTimestamp, "stale_timestamp", FaultPoint::kAttempt},
};

const KindRow& RowOf(FaultKind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  return kKinds[0];
}

const KindRow* FindKind(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string KindNames() {
  std::string names;
  for (const KindRow& row : kKinds) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

int64_t Between(Fields& fields, std::string_view name, int64_t fallback, int64_t min, int64_t max) {
  const auto value = fields.Integer(name, kOptional);
  if (!value) return fallback;
  if (*value >= min && *value <= max) return *value;
  fields.Error(name, "must be between " + std::to_string(min) + " and " + std::to_string(max));
  return fallback;
}

void ReadSignedBy(Fields& fields, FaultRule* rule) {
  const auto signed_by = fields.String("signed_by", kOptional);
  rule->only_next_secret = signed_by == "next";
  if (signed_by && *signed_by != "next" && *signed_by != "both") {
    fields.Error("signed_by", "must be both or next");
  }
  rule->next_secret =
      fields.String("next_secret", kOptional).value_or(std::string(kDefaultNextSecret));
  WebhookSigner signer;
  if (!signer.AddSecret(rule->next_secret)) {
    fields.Error("next_secret", "must be whsec_<base64>");
  }
}

void ReadOn(Fields& fields, const KindRow& row, const std::vector<std::string_view>& operations,
            FaultRule* rule) {
  rule->on = fields.String("on", kRequired).value_or(std::string());
  const bool webhook = rule->on == kWebhook;
  const bool known = webhook || rule->on == kEvery ||
                     std::find(operations.begin(), operations.end(), rule->on) != operations.end();
  if (!known) {
    std::string names = "must be webhook, *";
    for (const std::string_view name : operations) names.append(", ").append(name);
    return fields.Error("on", names);
  }
  const bool webhook_kind = row.point == FaultPoint::kDelivery || row.point == FaultPoint::kAttempt;
  if (webhook != webhook_kind) {
    fields.Error("do", webhook ? "is not for webhooks" : "is for webhooks only");
  }
  if (row.point == FaultPoint::kConnection && rule->on != kEvery) {
    fields.Error("on", "must be *: a new connection is for no operation yet");
  }
  rule->type = fields.String("type", kOptional).value_or(std::string());
  if (!webhook && !rule->type.empty()) fields.Error("type", "is for webhooks only");
}

void ReadAnswer(Fields& fields, FaultRule* rule) {
  rule->commit = fields.Bool("commit").value_or(true);
  rule->status = static_cast<int>(Between(fields, "status", 503, 400, 599));
  if (rule->kind == FaultKind::kTooMany || fields.Has("retry_after")) {
    rule->retry_after = std::chrono::seconds(Between(fields, "retry_after", 1, 0, kMaxRetryAfter));
  }
  rule->retry_after_date = fields.Bool("retry_after_date").value_or(false);
}

// What HTTP/2 reports about a request must agree with what happens to it.
void ReadStream(Fields& fields, FaultRule* rule) {
  if (rule->kind != FaultKind::kRefuseStream && fields.Has("after_read")) {
    fields.Error("after_read", "is for refuse_stream only");
  }
  rule->after_read = fields.Bool("after_read").value_or(false);
  for (const char* name : {"processed", "answer"}) {
    if (rule->kind != FaultKind::kGoAway && fields.Has(name)) {
      fields.Error(name, "is for goaway only");
    }
  }
  rule->answer = fields.Bool("answer").value_or(false);
  rule->processed = fields.Bool("processed").value_or(rule->answer);
  if (rule->kind != FaultKind::kGoAway) return;
  if (rule->answer && !rule->processed) {
    fields.Error("processed", "must not be false with answer: what is answered was processed");
  }
  const bool commit_given = fields.Has("commit");
  if (rule->answer && !rule->commit) {
    fields.Error("commit", "must not be false with answer: what is answered was executed");
  } else if (!rule->processed && !rule->answer && commit_given && rule->commit) {
    fields.Error("commit", "must not be true without processed: what is executed was processed");
  }
}

FaultRule ReadRule(Fields& fields, const std::vector<std::string_view>& operations) {
  fields.RefuseOthersThan({"on", "type", "do", "count", "skip", "probability", "delay_ms", "commit",
                           "status", "retry_after", "retry_after_date", "bytes", "age_seconds",
                           "signed_by", "next_secret", "after_read", "processed", "answer"});
  FaultRule rule;
  const auto name = fields.String("do", kRequired);
  const KindRow* row = FindKind(name.value_or(std::string()));
  if (row == nullptr) {
    fields.Error("do", "must be one of " + KindNames());
    row = FindKind("delay");
  } else {
    ReadOn(fields, *row, operations, &rule);
  }
  rule.kind = row->kind;
  rule.count = Between(fields, "count", 1, 0, kMaxCount);
  rule.skip = Between(fields, "skip", 0, 0, kMaxCount);
  rule.probability = fields.Number("probability").value_or(1.0);
  if (!(rule.probability >= 0 && rule.probability <= 1)) {
    fields.Error("probability", "must be between 0 and 1");
  }
  rule.delay =
      std::chrono::milliseconds(Between(fields, "delay_ms", row->default_delay_ms, 0, kMaxDelayMs));
  ReadAnswer(fields, &rule);
  ReadStream(fields, &rule);
  rule.bytes = Between(fields, "bytes", 2 * 1024 * 1024, 0, kMaxBytes);
  rule.age =
      std::chrono::seconds(Between(fields, "age_seconds", 3600, -kMaxAgeSeconds, kMaxAgeSeconds));
  ReadSignedBy(fields, &rule);
  return rule;
}

}  // namespace

std::string_view Name(FaultKind kind) { return RowOf(kind).name; }
FaultPoint PointOf(FaultKind kind) { return RowOf(kind).point; }

std::vector<FaultRule> ReadFaultRules(Body& document, bool may_be_one_rule,
                                      const std::vector<std::string_view>& operations) {
  std::vector<FaultRule> rules;
  Fields& fields = document.fields();
  if (may_be_one_rule && !fields.Has("faults")) {
    rules.push_back(ReadRule(fields, operations));
    return rules;
  }
  fields.Objects(
      "faults", [&](Fields& rule) { rules.push_back(ReadRule(rule, operations)); }, kMayBeEmpty);
  return rules;
}

void RenderMembers(const FaultRule& rule, JsonWriter& json) {
  json.Key("on").String(rule.on);
  if (!rule.type.empty()) json.Key("type").String(rule.type);
  json.Key("do").String(Name(rule.kind));
  json.Key("count").Integer(rule.count);
  json.Key("skip").Integer(rule.skip);
  json.Key("probability").Number(rule.probability);
  json.Key("delay_ms").Integer(rule.delay.count());
  const auto is = [&](auto... kinds) { return ((rule.kind == kinds) || ...); };
  if (is(FaultKind::kResetAfterRead, FaultKind::kCloseAfterRead, FaultKind::kHang)) {
    json.Key("commit").Bool(rule.commit);
  }
  if (is(FaultKind::kRefuseStream)) json.Key("after_read").Bool(rule.after_read);
  if (is(FaultKind::kGoAway)) {
    json.Key("processed").Bool(rule.processed);
    json.Key("commit").Bool(rule.processed && rule.commit);
    json.Key("answer").Bool(rule.answer);
  }
  if (is(FaultKind::kErrorBefore, FaultKind::kErrorAfter)) {
    json.Key("status").Integer(rule.status);
  }
  if (rule.retry_after) {
    json.Key("retry_after").Integer(rule.retry_after->count());
    json.Key("retry_after_date").Bool(rule.retry_after_date);
  }
  if (is(FaultKind::kHuge)) json.Key("bytes").Integer(rule.bytes);
  if (is(FaultKind::kStaleTimestamp)) json.Key("age_seconds").Integer(rule.age.count());
  if (is(FaultKind::kRotatedSecret)) {
    json.Key("signed_by").String(rule.only_next_secret ? "next" : "both");
  }
}

}  // namespace ipp::simulator
