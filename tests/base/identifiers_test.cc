#include "server/base/identifiers.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/report.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/session_history.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kUpper[] = "0123ABCD-0123-4567-89AB-0123456789AB";
constexpr char kLower[] = "0123abcd-0123-4567-89ab-0123456789ab";

// Ids that are the upstream's or the shop's own words, not UUIDs.
const std::set<std::string> kNoUuids = {"merchant_id", "merchant_ids", "order_id",
                                        "event_id",    "hardware_id",  "unique_id"};

bool LooksLikeAnId(const std::string& name) {
  return name == "id" || absl::EndsWith(name, "_id") || absl::EndsWith(name, "_ids");
}

// The files of the contract.
std::vector<const google::protobuf::FileDescriptor*> Files() {
  return {v1::Device::descriptor()->file(),
          v1::Location::descriptor()->file(),
          v1::CreateEnrollmentRequest::descriptor()->file(),
          v1::CreateOutcome::descriptor()->file(),
          v1::DayTotal::descriptor()->file(),
          v1::KnownSession::descriptor()->file(),
          v1::Session::descriptor()->file(),
          v1::SessionEvent::descriptor()->file(),
          v1::SimulateCardTapRequest::descriptor()->file()};
}

// Every id of every message in capital letters, one element in every list.
void Fill(Message* message) {
  const auto& reflection = *message->GetReflection();
  const auto& type = *message->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      field->is_repeated() ? reflection.AddString(message, field, kUpper)
                           : reflection.SetString(message, field, kUpper);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
      Fill(field->is_repeated() ? reflection.AddMessage(message, field)
                                : reflection.MutableMessage(message, field));
    }
  }
}

void ExpectCanonical(const Message& message) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_map()) continue;
    const int size = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < size; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        ExpectCanonical(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                             : reflection.GetMessage(message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        const std::string text = field->is_repeated()
                                     ? reflection.GetRepeatedString(message, field, i)
                                     : reflection.GetString(message, field);
        EXPECT_EQ(text, IsIdentifier(*field) ? kLower : kUpper) << field->full_name();
      }
    }
  }
}

TEST(Identifiers, AreMarkedInTheContractAndNothingElseIs) {
  for (const auto* file : Files()) {
    for (int m = 0; m < file->message_type_count(); ++m) {
      const auto& type = *file->message_type(m);
      for (int f = 0; f < type.field_count(); ++f) {
        const FieldDescriptor& field = *type.field(f);
        if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
        const std::string name(field.name());
        EXPECT_EQ(IsIdentifier(field), LooksLikeAnId(name) && !kNoUuids.contains(name))
            << field.full_name()
            << ": a field that holds a UUID is marked (identifier) in its .proto";
      }
    }
  }
}

TEST(Identifiers, AreBroughtIntoLowerCaseWhereverTheyStand) {
  for (const auto* file : Files()) {
    for (int m = 0; m < file->message_type_count(); ++m) {
      const std::unique_ptr<Message> message(google::protobuf::MessageFactory::generated_factory()
                                                 ->GetPrototype(file->message_type(m))
                                                 ->New());
      Fill(message.get());
      IdentifierFields(message->GetDescriptor()).Canonicalize(message.get());
      ExpectCanonical(*message);
    }
  }
}

TEST(Identifiers, ThatAreNoUuidsStayAsTheyAre) {
  v1::GetSessionRequest request;
  request.set_session_id("S1");
  IdentifierFields::Of<v1::GetSessionRequest>().Canonicalize(&request);
  EXPECT_EQ(request.session_id(), "S1");
}

}  // namespace
}  // namespace ipp
