#pragma once

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace ipp::simulator {

// TLS 1.2 and later, server's side, with a certificate (or chain) and its key in PEM files, the key
// without a passphrase. ALPN takes h2 if it is offered, otherwise http/1.1. Null if a file cannot
// be used; *error then names it.
std::shared_ptr<boost::asio::ssl::context> MakeTlsContext(const std::string& certificate_file,
                                                          const std::string& key_file,
                                                          std::string* error);

}  // namespace ipp::simulator
