#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/ippctl/report.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

// gRPC's words, in the order in which they are looked for. `$` stands for the address.
struct Trouble {
  const char* said;
  bool tls;    // with TLS
  bool plain;  // without it
  const char* meaning;
};

constexpr Trouble kTroubles[] = {
    {"DNS resolution failed", true, true,
     "the host of $ is not known: look at --address and at the network"},
    {"Domain name not found", true, true,
     "the host of $ is not known: look at --address and at the network"},
    {"Trying to connect an http1.x server", true, true,
     "$ is an HTTP port, not the gRPC port: the webhook or admin port, or another server?"},
    {"wrong version number", true, false,
     "$ does not speak TLS: leave out --tls and the certificate files, or use the TLS port"},
    {"certificate verify failed", true, false,
     "the certificate of $ is not signed by the authorities in use: give the right --ca-file"},
    {"is not in peer certificate", true, false,
     "the certificate of $ is for another name: use the host name that it has in --address"},
    {"alert certificate required", true, false,
     "$ asks for a client certificate: give --cert-file and --key-file"},
    {"alert unknown ca", true, false,
     "$ does not accept the client certificate: look at --cert-file"},
    {"handshake failed", true, false, "$ and ippctl cannot agree on TLS"},
    {"Connection refused", true, true,
     "nothing listens at $: is the gateway running, and is the port that of gRPC?"},
    {"No route to host", true, true, "there is no way to $: look at the network"},
    {"Network is unreachable", true, true, "there is no way to $: look at the network"},
    {"timed out", true, true, "$ does not answer: look at the address, the network, a firewall"},
    {"Timeout occurred", true, true,
     "$ does not answer: look at the address, the network, a firewall"},
    {"Socket closed", false, true,
     "$ closed the connection: it may speak TLS, so give --ca-file FILE, or --tls"},
    {"Connection reset", false, true,
     "$ closed the connection: it may speak TLS, so give --ca-file FILE, or --tls"},
    {"Socket closed", true, false,
     "$ closed the connection: it may ask for a client certificate (--cert-file, --key-file)"},
};

}  // namespace

std::string ConnectionTrouble(const client::Error& error, const Way& way) {
  if (!error.reason.empty() || error.code != grpc::StatusCode::UNAVAILABLE) return "";
  for (const Trouble& row : kTroubles) {
    if (!absl::StrContains(absl::AsciiStrToLower(error.message), absl::AsciiStrToLower(row.said)) ||
        !(way.tls ? row.tls : row.plain)) {
      continue;
    }
    const absl::string_view meaning = row.meaning;
    const size_t at = meaning.find('$');
    if (at == absl::string_view::npos) return std::string(meaning);
    return absl::StrCat(meaning.substr(0, at), Printable(way.address), meaning.substr(at + 1));
  }
  return "";
}

}  // namespace ipp::ippctl
