#include "server/store/message_size.h"

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace ipp::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using kustom::ipp::v1::Session;
using kustom::ipp::v1::SessionEvent;

bool Identifies(const FieldDescriptor& field) {
  return field.name() == "event_id" || field.name() == "session_id" ||
         field.name() == "merchant_id";
}

struct Text {
  Message* message = nullptr;
  const FieldDescriptor* field = nullptr;
  size_t size = 0;
};

Text Largest(const std::vector<Message*>& messages) {
  Text largest;
  for (Message* message : messages) {
    const Reflection& reflection = *message->GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(*message, &fields);
    for (const FieldDescriptor* field : fields) {
      if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) continue;
      if (Identifies(*field)) continue;
      std::string scratch;
      const size_t size = reflection.GetStringReference(*message, field, &scratch).size();
      if (size > largest.size) largest = {message, field, size};
    }
  }
  return largest;
}

// `whole` is the message that is sent; `session` is the session in it, or `whole` itself.
bool Cap(Message* whole, Session* session) {
  if (whole->ByteSizeLong() <= kMaxEventBytes) return false;
  whole->GetReflection()->MutableUnknownFields(whole)->Clear();
  session->GetReflection()->MutableUnknownFields(session)->Clear();
  session->clear_order_items();
  std::vector<Message*> messages = {session};
  if (whole != session) messages.push_back(whole);
  while (whole->ByteSizeLong() > kMaxEventBytes) {
    const Text largest = Largest(messages);
    if (largest.message == nullptr) break;
    largest.message->GetReflection()->ClearField(largest.message, largest.field);
  }
  return true;
}

}  // namespace

bool CapEvent(SessionEvent* event) {
  if (event->ByteSizeLong() <= kMaxEventBytes) return false;
  event->set_session_truncated(true);
  return Cap(event, event->mutable_session());
}

bool CapSession(Session* session) { return Cap(session, session); }

}  // namespace ipp::store
