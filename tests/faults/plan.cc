#include "tests/faults/plan.h"

#include "absl/strings/str_format.h"

namespace ipp::faults {
namespace {

// The end in percent; the rest stays open.
struct End {
  PlanStep step;
  uint64_t percent;
};
constexpr End kEnds[] = {{PlanStep::kPay, 34},
                         {PlanStep::kClerkEnds, 14},
                         {PlanStep::kCancelRpc, 14},
                         {PlanStep::kExpire, 14},
                         {PlanStep::kFail, 10}};

void DrawEnd(Plan* plan, std::mt19937_64* random) {
  uint64_t roll = Draw(random, 100);
  for (const End& end : kEnds) {
    if (roll < end.percent) {
      plan->steps.push_back(end.step);
      return;
    }
    roll -= end.percent;
  }
  plan->stays_open = true;
}

}  // namespace

uint64_t Draw(std::mt19937_64* random, uint64_t below) { return (*random)() % below; }

std::vector<Plan> DrawPlans(int count, int merchants, std::mt19937_64* random) {
  std::vector<Plan> plans(static_cast<size_t>(count));
  for (Plan& plan : plans) {
    plan.merchant = static_cast<int>(Draw(random, static_cast<uint64_t>(merchants)));
    plan.through_gateway = Draw(random, 100) < 65;
    const uint64_t watch = Draw(random, 100);
    if (plan.through_gateway && watch < 20) plan.watch = WatchBy::kSession;
    if (plan.through_gateway && watch >= 90) plan.watch = WatchBy::kRequest;
    if (Draw(random, 100) < 75) plan.steps.push_back(PlanStep::kActivate);
    while (!plan.steps.empty() && Draw(random, 100) < 25) plan.steps.push_back(PlanStep::kDecline);
    if (Draw(random, 100) < 5) plan.steps.push_back(PlanStep::kReadRpc);
    DrawEnd(&plan, random);
  }
  return plans;
}

std::string DrawUuid(std::mt19937_64* random) {
  const uint64_t a = (*random)();
  const uint64_t b = (*random)();
  return absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                         (b >> 48) & 0xfff, b & 0xffffffffffff);
}

}  // namespace ipp::faults
