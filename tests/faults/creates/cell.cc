#include "tests/faults/creates/cell.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tests/faults/plan.h"

namespace ipp::faults {
namespace {

using Random = std::mt19937_64;

Random DiceOf(uint64_t seed, const std::string& what, int number) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: the same on every machine
  for (const char c : absl::StrCat(seed, "/", what, "/", number)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return Random(hash);
}

int64_t Between(Random* dice, int64_t least, int64_t most) {
  return least + static_cast<int64_t>(Draw(dice, static_cast<uint64_t>(most - least + 1)));
}

int OneOf(Random* dice, const std::vector<int>& values) {
  return values[Draw(dice, values.size())];
}

std::string Rule(const std::string& on, const std::string& what, const std::string& members) {
  return absl::StrCat(R"({"on": ")", on, R"(", "do": ")", what, R"(")", members.empty() ? "" : ", ",
                      members, "}");
}

// Around the time that a create may take in the beds, so on both sides of it.
std::string SomeDelay(Random* dice) {
  return absl::StrCat(R"("delay_ms": )",
                      Draw(dice, 4) == 0 ? Between(dice, 600, 1100) : Between(dice, 20, 250));
}

std::string RequestRule(const Cell& cell, Random* dice) {
  const size_t slash = cell.fault.find('/');
  const std::string what = cell.fault.substr(0, slash);
  const std::string variant = slash == std::string::npos ? "" : cell.fault.substr(slash + 1);
  std::string members;
  if (what == "none" || what == "close_unused") return "";
  if (what == "refuse_connection") return Rule("*", what, "");
  if (what == "closed_port") {
    return Rule("*", "refuse_connection", absl::StrCat(R"("delay_ms": )", Between(dice, 50, 400)));
  }
  if (what == "delay" || what == "slow_body") members = SomeDelay(dice);
  if (variant == "uncommitted") members = R"("commit": false)";
  if (what == "error_before") {
    members = absl::StrCat(R"("status": )",
                           OneOf(dice, {400, 401, 403, 404, 408, 409, 422, 500, 502, 503, 504}));
  }
  // A refusal of what was done would be a lie that no caller could detect.
  if (what == "error_after") {
    members = absl::StrCat(R"("status": )", OneOf(dice, {408, 500, 502, 503, 504}));
  }
  if (what == "too_many") {
    members = absl::StrCat(R"("retry_after": )", Between(dice, 1, 3), R"(, "retry_after_date": )",
                           Draw(dice, 3) == 0 ? "true" : "false");
  }
  if (what == "refuse_stream") {
    members = absl::StrCat(R"("after_read": )", variant == "after_read" ? "true" : "false");
  }
  if (what == "goaway") {
    const bool processed = variant != "unprocessed";
    const bool commit = processed && variant != "uncommitted";
    const auto word = [](bool is) { return is ? "true" : "false"; };
    members = absl::StrCat(R"("processed": )", word(processed), R"(, "commit": )", word(commit),
                           R"(, "answer": )", word(variant == "answered"));
  }
  return Rule("create_session", what, members);
}

std::string WebhookRule(const Cell& cell, const CellOptions& options, Random* dice) {
  const std::string what = cell.fault.substr(sizeof("webhook/") - 1);
  std::string members = R"("type": "ipp.session.created")";
  // Those that strike a try would keep it away for ever.
  int count = 0;
  if (what == "double") absl::StrAppend(&members, R"(, "delay_ms": )", Between(dice, 0, 200));
  if (what == "late") absl::StrAppend(&members, R"(, "delay_ms": )", Between(dice, 50, 1200));
  if (what == "reorder") absl::StrAppend(&members, R"(, "delay_ms": )", Between(dice, 50, 600));
  if (what == "bad_signature" || what == "huge" || what == "stale_timestamp" ||
      what == "rotated_secret") {
    count = options.replicas * static_cast<int>(Between(dice, 1, 2));
  }
  if (what == "huge") absl::StrAppend(&members, R"(, "bytes": 300000)");
  if (what == "stale_timestamp" && Draw(dice, 2) == 0) {
    absl::StrAppend(&members, R"(, "age_seconds": -3600)");
  }
  if (what == "rotated_secret") {
    absl::StrAppend(&members, R"(, "signed_by": ")", Draw(dice, 2) == 0 ? "both" : "next", "\"");
  }
  absl::StrAppend(&members, R"(, "count": )", count);
  return Rule("webhook", what, members);
}

// Each combination once, in an order of their own.
void Combine(const CellOptions& options, const MatrixFault& fault, Cell* cell) {
  std::vector<Cell> all;
  for (const bool http2 : {false, true}) {
    if (http2 ? !options.http2 : (!options.http1 || fault.http2_only)) continue;
    for (const bool reused : {false, true}) {
      for (const bool own_id : {false, true}) {
        for (const Patience patience :
             {Patience::kWaits, Patience::kCancels, Patience::kDeadline}) {
          Cell each = *cell;
          each.http2 = http2;
          each.knows_refusals = http2 && options.knows_refusals;
          each.reused = reused;
          each.own_id = own_id;
          each.patience = patience;
          all.push_back(each);
        }
      }
    }
  }
  const int size = static_cast<int>(all.size());
  Random dice = DiceOf(options.seed, absl::StrCat(fault.name, "/order"), cell->round / size);
  for (size_t i = all.size() - 1; i > 0; --i) std::swap(all[i], all[Draw(&dice, i + 1)]);
  *cell = all[static_cast<size_t>(cell->round % size)];
}

absl::Duration TimeOf(Patience patience, Random* dice) {
  switch (patience) {
    case Patience::kWaits:
      // Longer than a create may take in the beds; now and then as long as the gateway waits for
      // what was made to turn up.
      return absl::Milliseconds(Draw(dice, 8) == 0 ? 6000 : 2000);
    case Patience::kCancels:
      return absl::Microseconds(Draw(dice, 3) == 0 ? Between(dice, 5'000, 400'000)
                                                   : Between(dice, 200, 12'000));
    case Patience::kDeadline:
      // A gateway that leaves itself a tenth of a second for the answer sends nothing when there is
      // less; so mostly a little more, and now and then less.
      switch (Draw(dice, 6)) {
        case 0:
          return absl::Microseconds(Between(dice, 1'000, 100'000));
        case 1:
        case 2:
          return absl::Microseconds(Between(dice, 115'000, 700'000));
        default:
          return absl::Microseconds(Between(dice, 100'000, 115'000));
      }
  }
  return absl::ZeroDuration();
}

const char* Word(Patience patience) {
  switch (patience) {
    case Patience::kWaits:
      return "waits";
    case Patience::kCancels:
      return "cancels";
    case Patience::kDeadline:
      return "deadline";
  }
  return "";
}

const char* Word(OwnFields fields) {
  switch (fields) {
    case OwnFields::kNone:
      return "none";
    case OwnFields::kMerchantData:
      return "merchant_data";
    case OwnFields::kReference2:
      return "merchant_reference2";
    case OwnFields::kBoth:
      return "both";
  }
  return "";
}

}  // namespace

const std::vector<MatrixFault>& MatrixFaults() {
  constexpr bool kHttp2 = true;
  constexpr bool kWebhook = true;
  constexpr bool kWithKills = true;
  static const std::vector<MatrixFault> faults = {
      {"none", false, false, kWithKills},
      {"delay", false, false, kWithKills},
      {"refuse_connection"},
      {"closed_port"},
      {"close_unused"},
      {"reset_before_read"},
      {"reset_after_read", false, false, kWithKills},
      {"reset_after_read/uncommitted"},
      {"close_after_read"},
      {"close_after_read/uncommitted"},
      {"hang", false, false, kWithKills},
      {"hang/uncommitted", false, false, kWithKills},
      {"error_before"},
      {"error_after", false, false, kWithKills},
      {"too_many", false, false, kWithKills},
      {"cut_body"},
      {"malformed_json"},
      {"slow_body", false, false, kWithKills},
      {"refuse_stream/before_read", kHttp2},
      {"refuse_stream/after_read", kHttp2, false, kWithKills},
      {"goaway/unprocessed", kHttp2, false, kWithKills},
      {"goaway/committed", kHttp2},
      {"goaway/uncommitted", kHttp2},
      {"goaway/answered", kHttp2},
      {"webhook/lose", false, kWebhook, kWithKills},
      {"webhook/double", false, kWebhook},
      {"webhook/reorder", false, kWebhook},
      {"webhook/late", false, kWebhook, kWithKills},
      {"webhook/bad_signature", false, kWebhook},
      {"webhook/rotated_secret", false, kWebhook},
      {"webhook/huge", false, kWebhook},
      {"webhook/stale_timestamp", false, kWebhook},
  };
  return faults;
}

Cell DrawCell(const CellOptions& options, const MatrixFault& fault, int round) {
  Cell cell;
  cell.fault = fault.name;
  cell.seed = options.seed;
  cell.round = round;
  Combine(options, fault, &cell);
  Random dice = DiceOf(options.seed, fault.name, round);
  cell.time = TimeOf(cell.patience, &dice);
  const OwnFields fields[] = {OwnFields::kNone,         OwnFields::kNone,
                              OwnFields::kReference2,   OwnFields::kMerchantData,
                              OwnFields::kMerchantData, OwnFields::kBoth};
  cell.own_fields = fields[Draw(&dice, std::size(fields))];
  std::vector<std::string> rules;
  if (fault.by_webhook) {
    rules = {Rule("create_session", "reset_after_read", ""), WebhookRule(cell, options, &dice)};
  } else if (const std::string rule = RequestRule(cell, &dice); !rule.empty()) {
    rules = {rule};
  }
  cell.rules = absl::StrCat(R"({"faults": [)", absl::StrJoin(rules, ", "), "]}");
  cell.knock = fault.name == "closed_port";
  cell.close_unused = fault.name == "close_unused";
  // A request leaves after a millisecond or so.
  cell.close_at = absl::Microseconds(Between(&dice, 200, 3'500));
  cell.named_late = fault.name == "webhook/lose";
  cell.named_by_tap = Draw(&dice, 2) == 0;
  if (options.kill) {
    cell.patience = Patience::kWaits;
    cell.time = absl::Seconds(6);
    const bool join = options.replicas > 1 && Draw(&dice, 4) == 0;
    cell.meanwhile = join ? Meanwhile::kJoin : Meanwhile::kKill;
    cell.own_id = cell.own_id || join;
    // Half of the time it is about the moment at which a request is on its way by itself.
    cell.meanwhile_at = absl::Microseconds(Draw(&dice, 2) == 0 ? Between(&dice, 500, 8'000)
                                                               : Between(&dice, 0, 120'000));
  }
  return cell;
}

kustom::ipp::v1::CreateSessionRequest RequestOf(const Cell& cell, const std::string& device_id) {
  Random dice = DiceOf(cell.seed, absl::StrCat(cell.fault, "/request"), cell.round);
  kustom::ipp::v1::CreateSessionRequest request;
  const uint64_t a = dice();
  const uint64_t b = dice();
  if (cell.own_id) {
    request.set_request_id(absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", a >> 32,
                                           (a >> 16) & 0xffff, a & 0xfff, (b >> 48) & 0xfff,
                                           b & 0xffffffffffff));
  }
  const int64_t amount = Between(&dice, 100, 9'999'999);
  request.set_device_id(device_id);
  request.set_order_amount(amount);
  request.set_purchase_currency("SEK");
  // Fit for a query as it is.
  request.set_merchant_reference1(
      absl::StrCat(absl::StrReplaceAll(cell.fault, {{"/", "."}}), "-", cell.round));
  auto* item = request.add_order_items();
  item->set_name("Tea");
  item->set_quantity(1);
  item->set_unit_price(amount);
  item->set_total_amount(amount);
  const bool both = cell.own_fields == OwnFields::kBoth;
  if (both || cell.own_fields == OwnFields::kMerchantData) {
    request.set_merchant_data(absl::StrCat(R"({"cart": ")", a % 1000, "\"}"));
  }
  if (both || cell.own_fields == OwnFields::kReference2) {
    request.set_merchant_reference2(absl::StrCat("till ", b % 100));
  }
  return request;
}

std::string Describe(const Cell& cell) {
  std::string text =
      absl::StrCat(cell.fault, " round ", cell.round, ": ", cell.http2 ? "HTTP/2" : "HTTP/1.1",
                   ", ", cell.reused ? "reused" : "fresh", " connection, caller ",
                   Word(cell.patience), " (", absl::FormatDuration(cell.time), "), ",
                   cell.own_id ? "own id" : "no id", ", own fields: ", Word(cell.own_fields));
  if (!cell.dialect.empty()) absl::StrAppend(&text, ", dialect ", cell.dialect);
  if (cell.clock_steps) absl::StrAppend(&text, ", clock steps");
  if (cell.meanwhile == Meanwhile::kKill) {
    absl::StrAppend(&text, ", killed at ", absl::FormatDuration(cell.meanwhile_at));
  }
  if (cell.meanwhile == Meanwhile::kJoin) {
    absl::StrAppend(&text, ", joined at ", absl::FormatDuration(cell.meanwhile_at));
  }
  return absl::StrCat(text, ", rules ", cell.rules);
}

}  // namespace ipp::faults
