#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "simulator/dialect.h"

// The dialects that change the JSON of a body.
namespace ipp::simulator {

using EditBody = std::function<void(boost::json::value& body, Speech speech)>;
// Rewrites the text of a date-time in UTC ("2026-09-21T14:13:20Z").
using RewordDate = boost::json::value (*)(const std::string& text);

// Optional members are left out, or null.
void LeaveOutOptionals(boost::json::value& body, Speech speech);
void NullOptionals(boost::json::value& body, Speech speech);
// Further members in every object.
void AddUnknown(boost::json::value& body, Speech speech);

EditBody Dates(RewordDate reword);
boost::json::value WithoutZone(const std::string& date);
boost::json::value EmptyDate(const std::string& date);
boost::json::value WithOffset(const std::string& date);
boost::json::value WithBlank(const std::string& date);
boost::json::value InLowerCase(const std::string& date);
boost::json::value NineDigits(const std::string& date);
boost::json::value EpochSeconds(const std::string& date);
boost::json::value EpochMilliseconds(const std::string& date);

// Counts and rates, never the amount of a session: 2 as "2", 2 as 2.5, and a number beyond int64.
void NumbersAsStrings(boost::json::value& body, Speech speech);
void FractionalNumbers(boost::json::value& body, Speech speech);
void HugeNumbers(boost::json::value& body, Speech speech);

void MerchantDataAsObject(boost::json::value& body, Speech speech);
void FailureReasonAsObject(boost::json::value& body, Speech speech);
void MixedMetadata(boost::json::value& body, Speech speech);

// Words that are not data: statuses, platforms, kinds of lines, types of events.
EditBody Words(std::string (*reword)(std::string_view word));
// Ids of sessions, devices, locations and enrollments.
EditBody Ids(std::string (*reword)(std::string_view id));
std::string Upper(std::string_view text);
std::string Lower(std::string_view text);
std::string Capitalised(std::string_view text);  // every word of it
std::string Alternating(std::string_view text);

// Errors: {"errors": {"name": "…"}} and so on.
void ErrorLists(boost::json::value& body, Speech speech);
void ErrorObjects(boost::json::value& body, Speech speech);
void ErrorStrings(boost::json::value& body, Speech speech);
void ErrorsOfTheOtherApis(boost::json::value& body, Speech speech);
void NestedErrors(boost::json::value& body, Speech speech);

// Webhooks.
void BareEventType(boost::json::value& body, Speech speech);
void WithoutTimestamp(boost::json::value& body, Speech speech);
void ThinEvent(boost::json::value& body, Speech speech);
void SessionIdAsId(boost::json::value& body, Speech speech);
void SessionIdOnTop(boost::json::value& body, Speech speech);

}  // namespace ipp::simulator
