#include "server/upstream/correlation.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/uuid.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr size_t kUuidSize = 36;

std::string Take(std::string* field) {
  const absl::string_view text = *field;
  const size_t prefix = sizeof(kCorrelationPrefix) - 1;
  if (text.size() != prefix + kUuidSize || !absl::StartsWith(text, kCorrelationPrefix)) return "";
  std::string id(text.substr(prefix));
  if (!IsUuid(id)) return "";
  field->clear();
  return CanonicalUuid(std::move(id));
}

}  // namespace

bool AddCorrelation(const std::string& request_id, CorrelationField field,
                    v1::CreateSessionRequest* request) {
  const std::string word = absl::StrCat(kCorrelationPrefix, request_id);
  const bool first = field == CorrelationField::kFirstEmpty;
  if ((first || field == CorrelationField::kMerchantData) && request->merchant_data().empty()) {
    request->set_merchant_data(word);
    return true;
  }
  if ((first || field == CorrelationField::kMerchantReference2) &&
      request->merchant_reference2().empty()) {
    request->set_merchant_reference2(word);
    return true;
  }
  return false;
}

std::string TakeCorrelation(v1::Session* session) {
  std::string id = Take(session->mutable_merchant_data());
  return id.empty() ? Take(session->mutable_merchant_reference2()) : id;
}

}  // namespace ipp::upstream
