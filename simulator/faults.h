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

// The rules in force, and how often each struck. One thread.
//
// Each rule throws its own dice, seeded by the seed and its place in the list: what becomes of its
// n-th match depends on nothing else.
class Faults {
 public:
  static constexpr size_t kMaxRules = 1000;
  static constexpr uint64_t kDefaultSeed = 1;

  // `operations` are the names that a rule may be on, besides "*" and "webhook".
  explicit Faults(std::vector<std::string_view> operations) : operations_(std::move(operations)) {}

  // Takes {"faults": [...], "seed": n} in place of what there is. If the document has errors
  // afterwards, nothing was taken.
  void Replace(Body& document);
  // Takes {"faults": [...]} or a single rule after those there are; the same about errors.
  void Append(Body& document);
  void Clear() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }

  // Begins every rule's dice anew.
  void SetSeed(uint64_t seed);

  // The first rule that strikes here; null: none. It and the matching rules before it count a
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
