#pragma once

#include <memory>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace ipp {

// The fields of one message type that hold a UUID: those that the contract marks with the option
// `identifier` (annotations.proto), also in nested messages. Canonicalize brings them into the form
// in which identifiers are stored and compared (base/uuid.h).
//
// It runs wherever a message enters the gateway: on a caller's request and on an answer of the
// upstream. No other code has to consider letter case. Immutable, so thread-safe; make one per
// message type and keep it. If the identifiers are in lower case already, it only reads them and
// allocates nothing.
class IdentifierFields {
 public:
  explicit IdentifierFields(const google::protobuf::Descriptor* type);

  // `message` must be of the type given to the constructor. A value that is not a UUID stays as it
  // is.
  void Canonicalize(google::protobuf::Message* message) const;

  // The instance for `Message`, made at the first use.
  template <typename Message>
  static const IdentifierFields& Of() {
    static const IdentifierFields* const fields = new IdentifierFields(Message::descriptor());
    return *fields;
  }

 private:
  struct Nested {
    const google::protobuf::FieldDescriptor* field;
    std::unique_ptr<IdentifierFields> fields;
  };
  bool empty() const { return strings_.empty() && nested_.empty(); }

  std::vector<const google::protobuf::FieldDescriptor*> strings_;
  std::vector<Nested> nested_;
};

// Whether the contract marks the field as an identifier.
bool IsIdentifier(const google::protobuf::FieldDescriptor& field);

}  // namespace ipp
