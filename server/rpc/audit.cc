#include "server/rpc/audit.h"

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/rpc/identity.h"

namespace ipp::rpc {
namespace {

// A certificate may have many names; the line shows as many as fit.
constexpr size_t kMostNameBytes = 300;

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string Certificate(const ServiceContext& service, const grpc::CallbackServerContext& context) {
  if (!service.backends.options.client_certificates) return "";
  return absl::StrJoin(CertificateNames(context), ",").substr(0, kMostNameBytes);
}

}  // namespace

void WriteAudit(const ServiceContext& service, const grpc::CallbackServerContext& context,
                const AuditLine& line) {
  LogAudit({{"caller", OrDash(line.caller)},
            {"rpc", line.rpc},
            {"merchant", OrDash(line.merchant)},
            {"request_id", OrDash(line.request_id)},
            {"subject", OrDash(line.subject)},
            {"created", OrDash(line.created)},
            {"outcome", OrDash(line.outcome)},
            {"code", line.code},
            {"reason", OrDash(line.reason)},
            {"peer", OrDash(PeerAddress(context.peer()))},
            {"certificate", OrDash(Certificate(service, context))},
            {"trace_id", line.trace_id}});
}

std::string PeerAddress(absl::string_view peer) {
  if (absl::ConsumePrefix(&peer, "ipv4:")) return std::string(peer);
  if (!absl::ConsumePrefix(&peer, "ipv6:")) return std::string(peer);
  return absl::StrReplaceAll(peer, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
}

}  // namespace ipp::rpc
