#include <algorithm>
#include <boost/json/value.hpp>
#include <charconv>

#include "simulator/dialect.h"
#include "simulator/dialect_json.h"
#include "simulator/dialect_text.h"
#include "simulator/sim_clock.h"

namespace ipp::simulator {
namespace {

bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool Creates(std::string_view operation) {
  return OneOf(operation, {"create_session", "create_enrollment", "create_simulated_device"});
}

bool Deletes(std::string_view operation) {
  return OneOf(operation, {"delete_device", "delete_enrollment"});
}

bool Succeeded(const Response& response) { return response.status < 300; }

void Empty(int status, Response& response) {
  response.status = status;
  response.body.clear();
}

// The status code of each success for which the documents leave it open; 200 for all others.
void AllOk(std::string_view operation, Response& response) {
  if (!Succeeded(response) || !(Creates(operation) || Deletes(operation))) return;
  response.status = 200;
  if (response.body.empty()) response.body = "{}";
}

void Created(std::string_view operation, Response& response) {
  if (!Succeeded(response)) return;
  if (Creates(operation) || operation == "simulate_tap") response.status = 201;
}

void Accepted(std::string_view operation, Response& response) {
  if (!Succeeded(response)) return;
  if (Deletes(operation) || operation == "simulate_tap") Empty(202, response);
}

void NoContent(std::string_view operation, Response& response) {
  if (!Succeeded(response)) return;
  if (Deletes(operation) || operation == "simulate_tap") Empty(204, response);
}

// An error whose body is not JSON.
auto Page(std::string_view content_type, std::string_view body) {
  return [=](std::string_view, Response& response) {
    if (response.status < 400) return;
    response.content_type = content_type;
    response.body = body;
  };
}

constexpr std::string_view kFirewall =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Request Rejected</title></head>\n"
    "<body><h1>Request Rejected</h1><p>The requested URL was rejected. Please consult with your "
    "administrator.<br>Your support ID is: 1790000000000000001</p></body></html>\n";

void SetHeader(std::string_view name, std::string value, Response* response) {
  for (auto& header : response->headers) {
    if (EqualsIgnoringCase(header.first, name)) {
      header.second = std::move(value);
      return;
    }
  }
  response->headers.emplace_back(name, std::move(value));
}

const std::string* RetryAfter(const Response& response) {
  for (const auto& header : response.headers) {
    if (EqualsIgnoringCase(header.first, "retry-after")) return &header.second;
  }
  return nullptr;
}

// Replaces Retry-After where the plain answer has one.
auto Wait(std::string_view value) {
  return [=](std::string_view, Response& response) {
    if (RetryAfter(response) != nullptr) SetHeader("Retry-After", std::string(value), &response);
  };
}

void WaitUntil(std::string_view, Response& response) {
  const std::string* value = RetryAfter(response);
  if (value == nullptr) return;
  int64_t seconds = 0;
  std::from_chars(value->data(), value->data() + value->size(), seconds);
  SetHeader("Retry-After", FormatHttpDate(SimClock::RealNow() + std::chrono::seconds(seconds)),
            &response);
}

// The other header with the correlation id of an error.
void CorrelationHeader(std::string_view, Response& response) {
  if (response.status >= 400) {
    SetHeader("X-Correlation-Id", "5e1f0a7c-0000-4000-8000-0000000c0de2", &response);
  }
}

auto Coded(std::string_view coding, std::string (*code)(std::string_view)) {
  return [=](std::string_view, Response& response) {
    if (response.body.empty()) return;
    response.body = code(response.body);
    SetHeader("Content-Encoding", std::string(coding), &response);
    SetHeader("Vary", "Accept-Encoding", &response);
  };
}

void OddContentType(std::string_view, Response& response) {
  response.content_type =
      response.status < 400 ? "Application/vnd.kustom.IPP+json ;charset=\"UTF-8\"" : "text/plain";
}

void OddEventType(WebhookRequest& request) {
  request.content_type = "application/json;charset=UTF-8";
}

void ShoutedHeaders(WebhookRequest& request) {
  request.id_header = "WEBHOOK-ID";
  request.timestamp_header = "Webhook-Timestamp";
  request.signature_header = "wEBHOOK-sIGNATURE";
}

std::vector<Dialect> MakeTable() {
  constexpr bool kLosesReferences = false;
  return {
      // Optional members.
      {"absent", "what a client can do without is left out", kLosesReferences, LeaveOutOptionals},
      {"null", "what a client can do without is null", kLosesReferences, NullOptionals},
      {"unknown-members", "further members in every object, some named almost like known ones",
       true, AddUnknown},

      // Dates.
      {"dates-no-zone", "dates without a zone: 2026-09-21T14:13:20", true, Dates(WithoutZone)},
      {"dates-empty", "every date is \"\"", true, Dates(EmptyDate)},
      {"dates-offset", "dates with +0000 for Z", true, Dates(WithOffset)},
      {"dates-blank", "dates with a blank for T", true, Dates(WithBlank)},
      {"dates-lower-case", "dates with t and z", true, Dates(InLowerCase)},
      {"dates-nine-digits", "dates with a fraction of 9 digits", true, Dates(NineDigits)},
      {"dates-epoch", "dates as seconds since 1970", true, Dates(EpochSeconds)},
      {"dates-epoch-ms", "dates as milliseconds since 1970", true, Dates(EpochMilliseconds)},

      // Values of other types.
      {"numbers-as-strings", "counts and rates as strings: \"quantity\": \"2\"", true,
       NumbersAsStrings},
      {"numbers-fractional", "counts and rates with a fraction: \"quantity\": 2.5", true,
       FractionalNumbers},
      {"numbers-huge", "counts and rates of 1e30", true, HugeNumbers},
      {"merchant-data-object", "merchant_data as an object", kLosesReferences,
       MerchantDataAsObject},
      {"failure-reason-object", "failure_reason as an object", true, FailureReasonAsObject},
      {"metadata-mixed", "metadata whose values are not all strings", true, MixedMetadata},

      // Letter case.
      {"words-lower-case", "statuses, kinds and types of events in lower case", true, Words(Lower)},
      {"words-upper-case", "the same in upper case: IPP.SESSION.CREATED", true, Words(Upper)},
      {"words-capitalised", "the same capitalised: Ipp.Session.Created", true, Words(Capitalised)},
      {"ids-upper-case", "ids of sessions, devices, locations, enrollments in upper case", true,
       Ids(Upper)},
      {"ids-mixed-case", "the same in mixed case", true, Ids(Alternating)},

      // Errors. The plain form is RFC 7807 with a map "errors" of strings.
      {"errors-map-of-lists", "RFC 7807, with a list of messages for each field", true, ErrorLists},
      {"errors-list", "RFC 7807, with \"errors\" as a list of objects", true, ErrorObjects},
      {"errors-strings", "{\"errors\": [\"…\"]} and nothing else", true, ErrorStrings},
      {"errors-other-apis", "error_code, error_messages and correlation_id", true,
       ErrorsOfTheOtherApis},
      {"errors-nested", "a JSON array with the error somewhere in it", true, NestedErrors},
      {"errors-html", "a firewall's HTML page", true, nullptr, nullptr,
       Page("text/html; charset=iso-8859-1", kFirewall)},
      {"errors-text", "a line of text", true, nullptr, nullptr,
       Page("text/plain", "upstream connect error or disconnect/reset before headers\n")},
      {"errors-empty", "errors without a body", true, nullptr, nullptr,
       Page("application/problem+json", "")},
      {"errors-header", "errors with a correlation id in the header", true, nullptr, nullptr,
       CorrelationHeader},
      {"retry-after-date", "Retry-After as an HTTP date", true, nullptr, nullptr, WaitUntil},
      {"retry-after-large", "Retry-After of a year", true, nullptr, nullptr, Wait("31536000")},
      {"retry-after-odd", "Retry-After that is no number", true, nullptr, nullptr, Wait("soon")},

      // Codes of success.
      {"codes-ok", "200 for creates and deletes", true, nullptr, nullptr, AllOk},
      {"codes-created", "201 for creates and simulated taps", true, nullptr, nullptr, Created},
      {"codes-accepted", "202 without a body for deletes and simulated taps", true, nullptr,
       nullptr, Accepted},
      {"codes-no-content", "204 for deletes and simulated taps", true, nullptr, nullptr, NoContent},

      // Webhooks.
      {"webhook-bare-type", "types of events without ipp.", true, BareEventType},
      {"webhook-no-timestamp", "events without their timestamp", true, WithoutTimestamp},
      {"webhook-thin", "events with id, type and the session's id alone", true, ThinEvent},
      {"webhook-id-on-top", "the members of data on top, and no data", true, SessionIdOnTop},
      {"webhook-data-id", "the session's id as data.id", true, SessionIdAsId},
      {"webhook-header-case", "the names of the webhook's header fields in other case", true,
       nullptr, nullptr, nullptr, ShoutedHeaders},

      // How bodies are written, and how they travel.
      {"content-types", "JSON under other content types, events with a charset", true, nullptr,
       nullptr, OddContentType, OddEventType},
      {"indented", "JSON over many lines, blank ones around it", true, nullptr, Indented},
      {"escaped", "every character of every name and string as \\u00…", true, nullptr, Escaped},
      {"byte-order-mark", "a byte order mark before JSON", true, nullptr, WithByteOrderMark},
      {"gzip", "answers with Content-Encoding: gzip", true, nullptr, nullptr, Coded("gzip", Gzip)},
      {"deflate", "answers with Content-Encoding: deflate", true, nullptr, nullptr,
       Coded("deflate", Zlib)},
      {"deflate-raw", "the same without zlib's frame, as some servers send it", true, nullptr,
       nullptr, Coded("deflate", RawDeflate)},
  };
}

}  // namespace

const std::vector<Dialect>& DialectTable() {
  static const std::vector<Dialect> table = MakeTable();
  return table;
}

const Dialect* FindDialect(std::string_view name) {
  for (const Dialect& dialect : DialectTable()) {
    if (dialect.name == name) return &dialect;
  }
  return nullptr;
}

}  // namespace ipp::simulator
