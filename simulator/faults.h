#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/fault_rule.h"
#include "simulator/fields.h"

namespace ipp::simulator {

// The active rules, and how often each was applied. One thread.
//
// Each rule has its own random generator, seeded by the seed and its place in the list, so the
// decision for its n-th match depends on nothing else.
class Faults {
 public:
  static constexpr size_t kMaxRules = 1000;
  static constexpr uint64_t kDefaultSeed = 1;

  // `operations` are the names that a rule may be on, besides "*" and "webhook".
  explicit Faults(std::vector<std::string_view> operations) : operations_(std::move(operations)) {}

  // Replaces the rules by {"faults": [...], "seed": n}. If the document has errors, nothing
  // changes.
  void Replace(Body& document);
  // Appends {"faults": [...]} or a single rule; the same about errors.
  void Append(Body& document);
  void Clear() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }

  // Restarts the random generator of every rule.
  void SetSeed(uint64_t seed);

  // The first rule that applies here; null: none. It and the matching rules before it count a
  // match, those after it do not.
  std::shared_ptr<const FaultRule> Strike(FaultPoint point, std::string_view on,
                                          std::string_view type = {});

  // Every rule with its counts, in their order.
  std::string Render() const;

 private:
  struct Entry {
    std::shared_ptr<const FaultRule> rule;
    std::mt19937_64 dice;
    int64_t matches = 0;
    int64_t hits = 0;
  };
  void Add(std::vector<FaultRule> rules);

  std::vector<std::string_view> operations_;
  uint64_t seed_ = kDefaultSeed;
  std::vector<Entry> entries_;
};

}  // namespace ipp::simulator
