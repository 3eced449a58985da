#include "server/upstream/correlation.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kPrefix[] = "ipp-gateway:";
constexpr size_t kUuidSize = 36;

std::string Take(std::string* field) {
  const absl::string_view text = *field;
  const size_t prefix = sizeof(kPrefix) - 1;
  if (text.size() != prefix + kUuidSize || !absl::StartsWith(text, kPrefix)) return "";
  std::string id(text.substr(prefix));
  const bool is_id = std::all_of(
      id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isxdigit(c) || c == '-'; });
  if (!is_id) return "";
  field->clear();
  return id;
}

}  // namespace

bool AddCorrelation(const std::string& request_id, CorrelationField field,
                    v1::CreateSessionRequest* request) {
  const std::string word = absl::StrCat(kPrefix, request_id);
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
