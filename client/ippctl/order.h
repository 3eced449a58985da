#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kustom/ipp/v1/session.pb.h"

// The arithmetic of an order, tax included. Minor units; tax rates in basis points.
namespace ipp::ippctl {

// The tax inside `total`: total × rate ÷ (10000 + rate), half away from zero.
int64_t InclusiveTax(int64_t total, int64_t tax_rate);

// 'name,quantity,unit_price,tax_rate[,type]', read from the right: a name may hold commas. Without
// a type, a negative price makes a discount and everything else is physical. Totals are computed.
absl::StatusOr<kustom::ipp::v1::OrderItem> ParseItem(absl::string_view text);

// One line that is the whole order. INVALID_ARGUMENT when the rate is out of range.
absl::StatusOr<kustom::ipp::v1::OrderItem> SingleLine(const std::string& name, int64_t amount,
                                                      int64_t tax_rate);

// order_amount and order_tax_amount from the lines.
absl::Status SumUp(kustom::ipp::v1::CreateSessionRequest* request);

}  // namespace ipp::ippctl
