#include "server/creates/create_request.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "server/base/error.h"
#include "server/base/identifiers.h"
#include "server/base/stored_message.h"
#include "server/store/retention.h"

namespace ipp::creates {
namespace {

namespace v1 = kustom::ipp::v1;

// The request with its identifiers in lower case; unchanged if its type is not known.
std::string WithCanonicalIds(const std::string& rpc, const std::string& request) {
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      absl::StrCat("kustom.ipp.v1.", rpc, "Request"));
  if (type == nullptr) return request;
  const std::unique_ptr<google::protobuf::Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!message->ParseFromString(request)) return request;
  IdentifierFields(type).Canonicalize(message.get());
  return DeterministicBytes(*message);
}

template <typename T>
bool Agree(const T& asked, const T& reported) {
  return reported == T() || asked == reported;
}

}  // namespace

bool IsSameRequest(const store::IntentRecord& known, const std::string& request) {
  if (known.trimmed) return known.request == store::RequestDigest(request);
  return known.request == request || WithCanonicalIds(known.rpc, known.request) == request;
}

bool MayHaveMade(const store::IntentRecord& create, const v1::Session& session) {
  if (create.rpc != "CreateSession") return false;
  v1::CreateSessionRequest request;
  // A tombstone has no request to compare; its session is recognised by its id.
  if (create.trimmed) return create.session_id == session.session_id();
  if (!request.ParseFromString(create.request)) return true;  // nothing to compare
  IdentifierFields::Of<v1::CreateSessionRequest>().Canonicalize(&request);
  return Agree(request.device_id(), session.device_id()) &&
         Agree(request.order_amount(), session.order_amount()) &&
         Agree(request.purchase_currency(), session.purchase_currency());
}

CreatePlace PlaceOf(const store::IntentRecord& create) {
  v1::CreateSessionRequest request;
  if (create.rpc != "CreateSession" || create.trimmed || !request.ParseFromString(create.request)) {
    return {};
  }
  IdentifierFields::Of<v1::CreateSessionRequest>().Canonicalize(&request);
  return {.location_id = request.location_id(), .device_id = request.device_id()};
}

absl::Status RefusalOf(const store::IntentRecord& create) {
  if (!create.trimmed) return ParseError(create.answer);
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "the upstream refused this create; why it did is no longer kept",
                   {.reason = "UPSTREAM_REFUSED",
                    .metadata = {{"outcome", "REJECTED"}, {"retry_safe", "true"}}});
}

std::string AnswerOf(v1::Session session) {
  v1::CreateSessionResponse answer;
  *answer.mutable_session() = std::move(session);
  return answer.SerializeAsString();
}

}  // namespace ipp::creates
