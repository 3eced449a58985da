#include "simulator/faults.h"

#include <utility>

namespace ipp::simulator {
namespace {

std::mt19937_64 Dice(uint64_t seed, size_t place) {
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                      static_cast<uint32_t>(place)};
  return std::mt19937_64(words);
}

// In [0, 1), the same with every standard library.
double Throw(std::mt19937_64& dice) { return static_cast<double>(dice() >> 11) * 0x1p-53; }

bool Matches(const FaultRule& rule, FaultPoint point, std::string_view on, std::string_view type) {
  const FaultPoint own = PointOf(rule.kind);
  const bool asked = own == point || (own == FaultPoint::kRequest && point == FaultPoint::kStream);
  if (!asked) return false;
  if (rule.on != on && rule.on != "*") return false;  // no webhook's rule is on "*"
  return rule.type.empty() || rule.type == type;
}

}  // namespace

void Faults::Replace(Body& document) {
  Fields& fields = document.fields();
  fields.RefuseOthersThan({"faults", "seed"});
  const auto seed = fields.Integer("seed", kOptional);
  if (seed && *seed < 0) fields.Error("seed", "must not be negative");
  auto rules = ReadFaultRules(document, /*may_be_one_rule=*/false, operations_);
  if (rules.size() > kMaxRules) fields.Error("faults", "are more than 1000");
  if (!document.errors().empty()) return;
  if (seed) seed_ = static_cast<uint64_t>(*seed);
  entries_.clear();
  Add(std::move(rules));
}

void Faults::Append(Body& document) {
  Fields& fields = document.fields();
  if (fields.Has("faults")) fields.RefuseOthersThan({"faults"});
  auto rules = ReadFaultRules(document, /*may_be_one_rule=*/true, operations_);
  if (entries_.size() + rules.size() > kMaxRules) fields.Error("faults", "are more than 1000");
  if (document.errors().empty()) Add(std::move(rules));
}

void Faults::Add(std::vector<FaultRule> rules) {
  for (FaultRule& rule : rules) {
    Entry& entry = entries_.emplace_back();
    entry.rule = std::make_shared<const FaultRule>(std::move(rule));
    entry.dice = Dice(seed_, entries_.size());
  }
}

void Faults::SetSeed(uint64_t seed) {
  seed_ = seed;
  for (size_t i = 0; i < entries_.size(); ++i) entries_[i].dice = Dice(seed_, i + 1);
}

std::shared_ptr<const FaultRule> Faults::Strike(FaultPoint point, std::string_view on,
                                                std::string_view type) {
  for (Entry& entry : entries_) {
    const FaultRule& rule = *entry.rule;
    if (!Matches(rule, point, on, type)) continue;
    ++entry.matches;
    if (entry.matches <= rule.skip) continue;
    if (rule.count != 0 && entry.hits >= rule.count) continue;
    if (rule.probability < 1 && Throw(entry.dice) >= rule.probability) continue;
    ++entry.hits;
    return entry.rule;
  }
  return nullptr;
}

std::string Faults::Render() const {
  JsonWriter json;
  json.BeginObject();
  json.Key("seed").Integer(static_cast<int64_t>(seed_));
  json.Key("faults").BeginArray();
  for (const Entry& entry : entries_) {
    json.BeginObject();
    RenderMembers(*entry.rule, json);
    json.Key("matches").Integer(entry.matches);
    json.Key("hits").Integer(entry.hits);
    json.Key("left");
    entry.rule->count == 0 ? json.Null() : json.Integer(entry.rule->count - entry.hits);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

}  // namespace ipp::simulator
