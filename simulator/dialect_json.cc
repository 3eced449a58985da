#include "simulator/dialect_json.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <cctype>
#include <cstdint>
#include <ctime>
#include <utility>

#include "simulator/ids.h"

namespace ipp::simulator {
namespace {

namespace json = boost::json;

std::string Text(const json::value& value) {
  return {value.get_string().data(), value.get_string().size()};
}

// Every object in `value`, the outer ones first.
template <typename Each>
void ForEachObject(json::value& value, const Each& each) {
  if (json::object* object = value.if_object()) {
    each(*object);
    for (auto& member : *object) ForEachObject(member.value(), each);
  } else if (json::array* array = value.if_array()) {
    for (json::value& element : *array) ForEachObject(element, each);
  }
}

// Every member of that name, wherever.
template <typename Each>
void ForEachMember(json::value& value, std::string_view name, const Each& each) {
  ForEachObject(value, [&](json::object& object) {
    if (json::value* member = object.if_contains(name)) each(*member);
  });
}

// The required members of the kind of object that has the member `mark`.
struct Kind {
  std::string_view mark;
  std::vector<std::string_view> needed;
};

const Kind* KindOf(const json::object& object) {
  // The first that fits counts: an event's data has a session_id too.
  static const std::vector<Kind> kinds = {
      {"order_items", {"session_id", "status", "order_amount", "purchase_currency"}},
      {"enrollment_id", {"enrollment_id", "enrollment_code"}},
      {"hardware_id", {"id"}},
      {"street_address", {"id"}},
      {"unit_price", {"name", "unit_price", "total_amount"}},
      {"data", {"id", "type", "data"}},
      {"session_id", {"session_id"}},
  };
  for (const Kind& kind : kinds) {
    if (object.contains(kind.mark)) return &kind;
  }
  return nullptr;
}

template <typename Each>
void ForEachOptional(json::value& body, const Each& each) {
  ForEachObject(body, [&](json::object& object) {
    const Kind* kind = KindOf(object);
    if (kind == nullptr) return;
    std::vector<std::string> optional;
    for (const auto& member : object) {
      const std::string_view name(member.key().data(), member.key().size());
      if (std::find(kind->needed.begin(), kind->needed.end(), name) == kind->needed.end()) {
        optional.emplace_back(name);
      }
    }
    for (const std::string& name : optional) each(object, name);
  });
}

constexpr std::string_view kDates[] = {"purchase_started_at",
                                       "purchase_completed_at",
                                       "created_at",
                                       "updated_at",
                                       "expires_at",
                                       "issuedAt",
                                       "timestamp"};

// Seconds since 1970 and what follows them ("Z", ".000000001Z").
std::pair<int64_t, std::string> Epoch(const std::string& date) {
  std::tm time = {};
  const char* rest = strptime(date.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  return {timegm(&time), rest == nullptr ? "" : rest};
}

std::string WithoutZ(const std::string& date) { return date.substr(0, date.size() - 1); }

// Counts and rates. Prices and amounts are not changed, because they say what is paid; nor are the
// members by which a list is paged.
constexpr std::string_view kNumbers[] = {"quantity", "tax_rate", "total_discount_amount",
                                         "order_tax_amount", "open_cash_register_id"};

template <typename Each>
void ForEachNumber(json::value& body, const Each& each) {
  for (const std::string_view name : kNumbers) {
    ForEachMember(body, name, [&](json::value& number) {
      if (number.is_null()) number = 17;
      if (number.is_int64()) each(number);
    });
  }
}

// The parts of an error: its title, its detail, and the message for each field.
struct Problem {
  std::string detail;
  std::vector<std::pair<std::string, std::string>> fields;
};

template <typename Reword>
void RewordProblem(json::value& body, Speech speech, const Reword& reword) {
  if (speech != Speech::kError || !body.is_object()) return;
  Problem problem;
  json::object& object = body.get_object();
  if (const json::value* detail = object.if_contains("detail")) problem.detail = Text(*detail);
  if (json::value* errors = object.if_contains("errors")) {
    for (const auto& error : errors->get_object()) {
      problem.fields.emplace_back(std::string(error.key().data(), error.key().size()),
                                  Text(error.value()));
    }
  }
  reword(object, problem);
}

constexpr char kCorrelationId[] = "5e1f0a7c-0000-4000-8000-00000000c0de";

}  // namespace

void LeaveOutOptionals(json::value& body, Speech) {
  ForEachOptional(body, [](json::object& object, const std::string& name) { object.erase(name); });
}

void NullOptionals(json::value& body, Speech) {
  ForEachOptional(body,
                  [](json::object& object, const std::string& name) { object[name] = nullptr; });
}

void AddUnknown(json::value& body, Speech) {
  static const json::value extra = json::parse(R"({
      "_links": {"self": {"href": "https://example.invalid/ipp"}},
      "Status": "NEITHER_THIS", "SESSION_ID": "nor this",
      "receipt": {"lines": [["a", 1.5, null, true], {}], "total": 123456789012345678901234567890},
      "pagamento 💳": -0.0, "": []})");
  ForEachObject(body, [](json::object& object) {
    if (KindOf(object) == nullptr && !object.contains("content")) return;
    const json::object before = std::exchange(object, extra.get_object());
    for (const auto& member : before) object.insert_or_assign(member.key(), member.value());
  });
}

EditBody Dates(RewordDate reword) {
  return [reword](json::value& body, Speech) {
    for (const std::string_view name : kDates) {
      ForEachMember(body, name, [&](json::value& date) {
        if (!date.is_string()) return;
        const std::string text = Text(date);
        if (text.size() >= 20 && text.back() == 'Z') date = reword(text);
      });
    }
  };
}

json::value WithoutZone(const std::string& date) { return json::value(WithoutZ(date)); }
json::value EmptyDate(const std::string&) { return json::value(""); }
json::value WithOffset(const std::string& date) { return json::value(WithoutZ(date) + "+0000"); }
json::value InLowerCase(const std::string& date) { return json::value(LowerCase(date)); }
json::value WithBlank(const std::string& date) {
  std::string text = date;
  text[10] = ' ';
  return json::value(text);
}
json::value NineDigits(const std::string& date) {
  return json::value(date.substr(0, 19) + ".123456789Z");
}
json::value EpochSeconds(const std::string& date) { return Epoch(date).first; }
json::value EpochMilliseconds(const std::string& date) { return Epoch(date).first * 1000; }

void NumbersAsStrings(json::value& body, Speech) {
  ForEachNumber(
      body, [](json::value& number) { number = json::value(std::to_string(number.get_int64())); });
}

void FractionalNumbers(json::value& body, Speech) {
  ForEachNumber(
      body, [](json::value& number) { number = static_cast<double>(number.get_int64()) + 0.5; });
}

void HugeNumbers(json::value& body, Speech) {
  ForEachNumber(body, [](json::value& number) { number = 1e30; });
}

void MerchantDataAsObject(json::value& body, Speech) {
  ForEachMember(body, "merchant_data", [](json::value& data) {
    if (!data.is_string()) return;
    boost::system::error_code error;
    json::value parsed = json::parse(Text(data), error);
    if (error || !parsed.is_object()) parsed = json::object{{"value", data}};
    data = std::move(parsed);
  });
}

void FailureReasonAsObject(json::value& body, Speech) {
  ForEachMember(body, "failure_reason", [](json::value& reason) {
    reason = json::object{{"code", reason}, {"message", "The card was declined."}};
  });
}

void MixedMetadata(json::value& body, Speech) {
  ForEachMember(body, "metadata", [](json::value& metadata) {
    if (!metadata.is_object()) return;
    json::object& map = metadata.get_object();
    if (json::value* simulated = map.if_contains("simulated")) *simulated = true;
    map["register"] = 7;
    map["tags"] = json::array{"a", nullptr};
    map["nothing"] = nullptr;
    map["shop"] = json::object{{"floor", 1.5}};
  });
}

EditBody Words(std::string (*reword)(std::string_view word)) {
  return [reword](json::value& body, Speech speech) {
    if (speech == Speech::kError) return;  // its status is a number, its type an address
    for (const std::string_view name : {"status", "platform", "type"}) {
      ForEachMember(body, name, [&](json::value& word) {
        if (word.is_string()) word = json::value(reword(Text(word)));
      });
    }
  };
}

EditBody Ids(std::string (*reword)(std::string_view id)) {
  return [reword](json::value& body, Speech) {
    for (const std::string_view name :
         {"session_id", "device_id", "location_id", "enrollment_id", "id"}) {
      ForEachMember(body, name, [&](json::value& id) {
        if (id.is_string() && IsUuid(Text(id))) id = json::value(reword(Text(id)));
      });
    }
  };
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

std::string Lower(std::string_view text) { return LowerCase(text); }

std::string Capitalised(std::string_view text) {
  std::string word = LowerCase(text);
  for (size_t i = 0; i < word.size(); ++i) {
    if (i > 0 && std::isalpha(static_cast<unsigned char>(word[i - 1]))) continue;
    word[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[i])));
  }
  return word;
}

std::string Alternating(std::string_view text) {
  std::string word = LowerCase(text);
  for (size_t i = 0; i < word.size(); i += 2) {
    word[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[i])));
  }
  return word;
}

void ErrorLists(json::value& body, Speech speech) {
  RewordProblem(body, speech, [](json::object& error, const Problem& problem) {
    if (problem.fields.empty()) return;
    json::object& errors = error["errors"].emplace_object();
    for (const auto& [field, what] : problem.fields) {
      errors[field] = json::array{json::value(what), "and must be well"};
    }
  });
}

void ErrorObjects(json::value& body, Speech speech) {
  RewordProblem(body, speech, [](json::object& error, const Problem& problem) {
    json::array& errors = error["errors"].emplace_array();
    for (const auto& [field, what] : problem.fields) {
      errors.push_back(json::object{{"field", field}, {"message", what}});
    }
    if (errors.empty()) errors.push_back(json::object{{"message", problem.detail}});
  });
}

void ErrorStrings(json::value& body, Speech speech) {
  RewordProblem(body, speech, [](json::object& error, const Problem& problem) {
    json::array errors;
    for (const auto& [field, what] : problem.fields) {
      errors.push_back(json::value(std::string(field).append(": ").append(what)));
    }
    if (errors.empty()) errors.push_back(json::value(problem.detail));
    error = json::object{{"errors", std::move(errors)}};
  });
}

void ErrorsOfTheOtherApis(json::value& body, Speech speech) {
  RewordProblem(body, speech, [](json::object& error, const Problem& problem) {
    json::array messages;
    for (const auto& [field, what] : problem.fields) {
      messages.push_back(json::value(std::string(field).append(": ").append(what)));
    }
    if (messages.empty()) messages.push_back(json::value(problem.detail));
    error = json::object{{"error_code", "BAD_VALUE"},
                         {"error_messages", std::move(messages)},
                         {"correlation_id", kCorrelationId}};
  });
}

void NestedErrors(json::value& body, Speech speech) {
  if (speech == Speech::kError) body = json::array{json::object{{"error", body}}, "see above"};
}

void BareEventType(json::value& body, Speech speech) {
  if (speech != Speech::kEvent) return;
  ForEachMember(body, "type", [](json::value& type) {
    const std::string text = Text(type);
    if (LowerCase(text).rfind("ipp.", 0) == 0) type = json::value(text.substr(4));
  });
}

void WithoutTimestamp(json::value& body, Speech speech) {
  if (speech == Speech::kEvent) body.get_object().erase("timestamp");
}

void ThinEvent(json::value& body, Speech speech) {
  if (speech != Speech::kEvent) return;
  body.get_object().erase("merchant_id");
  LeaveOutOptionals(body, speech);
}

void SessionIdAsId(json::value& body, Speech speech) {
  if (speech != Speech::kEvent) return;
  ForEachMember(body, "data", [](json::value& data) {
    json::object& object = data.get_object();
    object["id"] = object["session_id"];
    object.erase("session_id");
  });
}

void SessionIdOnTop(json::value& body, Speech speech) {
  if (speech != Speech::kEvent) return;
  json::object& event = body.get_object();
  const json::value data = event["data"];
  event.erase("data");
  for (const auto& member : data.get_object()) event[member.key()] = member.value();
}

}  // namespace ipp::simulator
