#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "server/shared/decide.h"
#include "server/shared/lease_token.pb.h"
#include "server/shared/work.h"
#include "server/store/shared_tables.h"

namespace ipp::shared {

// A shared subscription as it was made, ready for use. Immutable.
struct Spec {
  int64_t id = 0;
  std::string caller;
  kustom::ipp::v1::SharedSubscription subscription;  // without counts
  Rules rules;
  Matches matches;  // also refuses events of merchants that it does not take

  // For one change.
  Target target(uint64_t seed) const {
    return {.id = id, .rules = rules, .matches = matches, .seed = seed};
  }
};
using SpecPtr = std::shared_ptr<const Spec>;

// Fills in what may be left out: the lease and the attempts.
void FillIn(kustom::ipp::v1::SharedSubscription* subscription);

// DATA_LOSS for a record that no release has written.
absl::StatusOr<SpecPtr> ReadSpec(const store::SharedRecord& record);

// Whether the two are made from the same settings. Otherwise the names of the fields that differ.
std::vector<std::string> Differences(const kustom::ipp::v1::SharedSubscription& asked,
                                     const kustom::ipp::v1::SharedSubscription& existing);

// NOT_FOUND / SUBSCRIPTION_NOT_FOUND.
absl::Status NoSuchSubscription();

std::string EncodeLease(const LeaseToken& token);
// nullopt: it is not a lease that a gateway has given.
std::optional<LeaseToken> DecodeLease(absl::string_view text);

}  // namespace ipp::shared
