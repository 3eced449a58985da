#include "tests/faults/creates/upstream_truth.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <exception>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "server/base/status_macros.h"

namespace ipp::faults {
namespace {

namespace json = boost::json;

constexpr char kJson[] = "Content-Type: application/json\r\n";

std::string Text(const json::object& object, const char* key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

// The request_id in the gateway's word, wherever the body has it.
std::string WordIn(const std::string& body) {
  const json::value value = json::parse(body);
  for (const char* field : {"merchant_data", "merchant_reference2"}) {
    const std::string text = Text(value.as_object(), field);
    absl::string_view word = text;
    if (absl::ConsumePrefix(&word, "ipp-gateway:")) return std::string(word);
  }
  return "";
}

ReadRequest ReadEntry(const json::value& entry) {
  const json::object& object = entry.as_object();
  ReadRequest read;
  read.sequence = entry.at("sequence").as_int64();
  read.connection = static_cast<int>(entry.at("connection").as_int64());
  read.protocol = Text(object, "protocol");
  read.fault = Text(object, "fault");
  read.executed = entry.at("executed").as_bool();
  read.status = static_cast<int>(entry.at("status").as_int64());
  read.session_id = Text(object, "session_id");
  read.word = WordIn(Text(object, "body"));
  return read;
}

absl::Status Parse(const std::string& text, absl::FunctionRef<void(const json::value&)> read) {
  try {
    read(json::parse(text));
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the simulator says ", text, ": ", error.what()));
  }
}

}  // namespace

absl::StatusOr<std::string> UpstreamTruth::Control(const std::string& method,
                                                   const std::string& target,
                                                   const std::string& body) {
  RawResponse response = control_.Call(method, target, body.empty() ? "" : kJson, body);
  if (response.code / 100 == 2) return std::move(response.body);
  return absl::InternalError(
      absl::StrCat(method, " ", target, ": ", response.code, " ", response.body));
}

absl::Status UpstreamTruth::SetRules(const std::string& rules) {
  return Control("PUT", "/_sim/faults", rules).status();
}

absl::Status UpstreamTruth::ClearRules() { return Control("DELETE", "/_sim/faults").status(); }

absl::Status UpstreamTruth::SetDialect(const std::string& name) {
  return Control("PUT", "/_sim/dialects", absl::StrCat(R"({"names": [")", name, R"("]})")).status();
}

absl::StatusOr<bool> UpstreamTruth::AllStruck() {
  IPP_ASSIGN_OR_RETURN(const std::string page, Control("GET", "/_sim/faults"));
  bool all = false;
  IPP_RETURN_IF_ERROR(Parse(page, [&](const json::value& value) {
    const json::array& rules = value.at("faults").as_array();
    all = !rules.empty() && std::all_of(rules.begin(), rules.end(), [](const json::value& rule) {
      return rule.at("hits").as_int64() > 0;
    });
  }));
  return all;
}

absl::Status UpstreamTruth::SetReceivers(const std::vector<std::string>& urls) {
  return Control("PUT", "/_sim/webhooks",
                 absl::StrCat(R"({"urls": [")", absl::StrJoin(urls, "\", \""), R"("]})"))
      .status();
}

absl::Status UpstreamTruth::CloseConnections() {
  return Control("DELETE", "/_sim/connections").status();
}

absl::StatusOr<TruthOfCreate> UpstreamTruth::Of(const std::string& reference) {
  // Requests first: what was executed by then has its session in what is read next.
  IPP_ASSIGN_OR_RETURN(const std::string requests,
                       Control("GET", "/_sim/requests?merchant_reference1=" + reference));
  IPP_ASSIGN_OR_RETURN(const std::string sessions,
                       Control("GET", "/_sim/sessions?merchant_reference1=" + reference));
  TruthOfCreate truth;
  IPP_RETURN_IF_ERROR(Parse(requests, [&](const json::value& page) {
    for (const json::value& entry : page.at("requests").as_array()) {
      truth.reads.push_back(ReadEntry(entry));
    }
  }));
  IPP_RETURN_IF_ERROR(Parse(sessions, [&](const json::value& page) {
    for (const json::value& entry : page.at("sessions").as_array()) {
      truth.sessions.push_back({.session_id = Text(entry.as_object(), "session_id"),
                                .status = Text(entry.as_object(), "status"),
                                .order_amount = entry.at("order_amount").as_int64()});
    }
  }));
  return truth;
}

absl::StatusOr<bool> UpstreamTruth::WasUsedBefore(const ReadRequest& read) {
  if (read.sequence > seen_) {
    IPP_ASSIGN_OR_RETURN(const std::string page,
                         Control("GET", absl::StrCat("/_sim/requests?after=", seen_)));
    IPP_RETURN_IF_ERROR(Parse(page, [&](const json::value& requests) {
      for (const json::value& entry : requests.at("requests").as_array()) {
        seen_ = entry.at("sequence").as_int64();
        first_use_.emplace(static_cast<int>(entry.at("connection").as_int64()), seen_);
      }
    }));
  }
  const auto first = first_use_.find(read.connection);
  return first != first_use_.end() && first->second < read.sequence;
}

absl::StatusOr<std::vector<std::string>> UpstreamTruth::Doubled() {
  IPP_ASSIGN_OR_RETURN(const std::string page, Control("GET", "/_sim/sessions?limit=1000000"));
  std::map<std::string, int> counts;
  IPP_RETURN_IF_ERROR(Parse(page, [&](const json::value& sessions) {
    for (const json::value& entry : sessions.at("sessions").as_array()) {
      ++counts[Text(entry.as_object(), "merchant_reference1")];
    }
  }));
  std::vector<std::string> doubled;
  for (const auto& [reference, count] : counts) {
    if (count > 1) doubled.push_back(reference);
  }
  return doubled;
}

absl::Status UpstreamTruth::Activate(const std::string& session_id) {
  return Control("POST", absl::StrCat("/_sim/sessions/", session_id, "/activate")).status();
}

absl::Status UpstreamTruth::Pay(const std::string& session_id) {
  const std::string target =
      absl::StrCat("/ipp/v1/dev/sessions/", session_id, "/simulate-tap?outcome=SUCCESS");
  const std::string headers = absl::StrCat("Authorization: Basic ", merchant_.api_key,
                                           "\r\nx-merchant-id: ", merchant_.id, "\r\n");
  const absl::Time until = absl::Now() + absl::Seconds(10);
  while (true) {
    const RawResponse response = HttpConnection(api_port_).Call("POST", target, headers);
    if (response.code / 100 == 2) return absl::OkStatus();
    if (response.code != 0 || absl::Now() > until) {
      return absl::InternalError(absl::StrCat("simulate-tap: ", response.code, " ", response.body));
    }
    absl::SleepFor(absl::Milliseconds(10));  // the port is closed for a while
  }
}

}  // namespace ipp::faults
