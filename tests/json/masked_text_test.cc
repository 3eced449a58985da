// No secret of the contract is shown, wherever in a message it is.

#include "server/base/masked_text.h"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/dynamic_message.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/annotations.pb.h"
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
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::HasSubstr;
using testing::Not;

constexpr char kCanary[] = "canary";

void AddMessages(const Descriptor* type, std::vector<const Descriptor*>* types) {
  if (type->options().map_entry()) return;
  types->push_back(type);
  for (int i = 0; i < type->nested_type_count(); ++i) AddMessages(type->nested_type(i), types);
}

// Every message of every file of the contract.
std::vector<const Descriptor*> Contract() {
  // So that the linker keeps them.
  for (const Message* known : std::initializer_list<const Message*>{
           &v1::Route::default_instance(), &v1::Device::default_instance(),
           &v1::Enrollment::default_instance(), &v1::Location::default_instance(),
           &v1::CreateOutcome::default_instance(), &v1::Session::default_instance(),
           &v1::SessionEvent::default_instance(), &v1::DayTotal::default_instance(),
           &v1::KnownSession::default_instance(),
           &v1::SimulateCardTapRequest::default_instance()}) {
    EXPECT_NE(known->GetDescriptor(), nullptr);
  }
  const auto root = std::filesystem::path(IPP_TESTDATA).parent_path().parent_path() / "proto";
  std::vector<const Descriptor*> types;
  for (const auto& entry : std::filesystem::directory_iterator(root / "kustom" / "ipp" / "v1")) {
    const std::string name = "kustom/ipp/v1/" + entry.path().filename().string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    EXPECT_NE(file, nullptr) << name;
    if (file == nullptr) continue;
    for (int i = 0; i < file->message_type_count(); ++i) AddMessages(file->message_type(i), &types);
  }
  return types;
}

bool IsMarked(const FieldDescriptor* field) { return field->options().GetExtension(v1::sensitive); }

// Sets everything; secrets to the canary. How many there were.
int Fill(Message* message, int depth = 0) {
  const auto& reflection = *message->GetReflection();
  int secrets = 0;
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      const std::string value = IsMarked(field) ? kCanary : "open";
      secrets += IsMarked(field) ? 1 : 0;
      field->is_repeated() ? reflection.AddString(message, field, value)
                           : reflection.SetString(message, field, value);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < 8) {
      secrets += Fill(field->is_repeated() ? reflection.AddMessage(message, field)
                                           : reflection.MutableMessage(message, field),
                      depth + 1);
    }
    // A field of a oneof takes the place of the one before it.
    if (field->real_containing_oneof() != nullptr && IsMarked(field)) break;
  }
  return secrets;
}

TEST(MaskedText, HidesEverySecretOfTheContract) {
  int with_secrets = 0;
  for (const Descriptor* type : Contract()) {
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    const int secrets = Fill(message.get());
    with_secrets += secrets > 0 ? 1 : 0;
    const std::string text = MaskedText(*message);
    EXPECT_THAT(text, Not(HasSubstr(kCanary))) << type->full_name();
    if (secrets > 0) {
      EXPECT_THAT(message->ShortDebugString(), HasSubstr(kCanary)) << type->full_name();
      EXPECT_THAT(text, HasSubstr(std::string(kMask))) << type->full_name();
    }
  }
  EXPECT_GE(with_secrets, 6) << "resources, and the responses and lists that hold them";
}

// A secret that the contract does not mark.
TEST(MaskedText, LeavesNothingUnmarkedThatSoundsLikeASecret) {
  const std::set<std::string> open = {"page_token", "next_page_token", "postal_code"};
  for (const Descriptor* type : Contract()) {
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      bool sounds = false;
      for (const char* word : {"token", "secret", "password", "credential", "key", "code"}) {
        sounds = sounds || field->name().find(word) != std::string::npos;
      }
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING || !sounds) continue;
      EXPECT_TRUE(IsMarked(field) || open.contains(std::string(field->name())))
          << field->full_name();
    }
  }
}

TEST(MaskedText, ShowsTheRest) {
  v1::Enrollment enrollment;
  enrollment.set_enrollment_id("e1");
  EXPECT_EQ(MaskedText(enrollment), "enrollment_id: \"e1\"") << "what is not set is not hidden";
  enrollment.set_enrollment_code("ABC\n123");
  EXPECT_EQ(MaskedText(enrollment), "enrollment_id: \"e1\" enrollment_code: \"********\"");
  EXPECT_EQ(enrollment.enrollment_code(), "ABC\n123") << "the message itself is left alone";
  EXPECT_EQ(MaskedText(v1::Enrollment()), "");
}

TEST(MaskedText, LeavesOutWhatTheContractDoesNotKnow) {
  v1::Enrollment enrollment;
  enrollment.set_enrollment_id("e1");
  enrollment.GetReflection()->MutableUnknownFields(&enrollment)->AddLengthDelimited(999, kCanary);
  EXPECT_EQ(MaskedText(enrollment), "enrollment_id: \"e1\"");
}

}  // namespace
}  // namespace ipp
