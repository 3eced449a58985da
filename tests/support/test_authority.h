#pragma once

#include <grpcpp/security/credentials.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {

inline std::string FileText(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Signs certificates, by the openssl program.
class TestAuthority {
 public:
  struct Request {
    std::string names;  // as in subjectAltName; empty: none
    std::string subject = "/CN=client";
    int days = 2;  // -1: it has expired
    bool self_signed = false;
  };
  // PEM.
  struct Identity {
    std::string key;
    std::string certificate;
  };

  TestAuthority() {
    Openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority",
        "-keyout ca.key -out ca.pem");
  }

  std::string pem() const { return FileText(files_.path("ca.pem")); }

  Identity Issue(const Request& request) const {
    files_.Write("names", request.names.empty()
                              ? "basicConstraints=CA:FALSE\n"
                              : absl::StrCat("subjectAltName=", request.names, "\n"));
    Openssl(absl::StrCat("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '",
                         request.subject, "'"),
            "-keyout key.pem -out request.pem");
    // OpenSSL 3.5 signs nothing that ends before it begins: what has expired is signed in the past.
    const bool expired = request.days < 0;
    Openssl(
        absl::StrCat(
            "x509 -req -in request.pem -days ", expired ? 1 : request.days, " -extfile names ",
            request.self_signed ? "-signkey key.pem" : "-CA ca.pem -CAkey ca.key -CAcreateserial"),
        "-out cert.pem",
        expired ? absl::StrCat("faketime -f ", request.days - 1, "d ") : std::string());
    return {FileText(files_.path("key.pem")), FileText(files_.path("cert.pem"))};
  }

 private:
  // `before`: a program that starts it.
  void Openssl(const std::string& what, const std::string& files,
               const std::string& before = std::string()) const {
    const std::string command = absl::StrCat("cd ", files_.path(""), " && ", before, "openssl ",
                                             what, " ", files, " >openssl.log 2>&1");
    EXPECT_EQ(std::system(command.c_str()), 0)
        << "openssl and faketime are needed: " << command << "\n"
        << FileText(files_.path("openssl.log"));
  }

  TestDirectory files_;
};

// Of a client that trusts `server_pem` and shows `identity`, if any.
inline std::shared_ptr<grpc::ChannelCredentials> TlsCredentials(
    const std::string& server_pem, const TestAuthority::Identity& identity = {}) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = server_pem;
  options.pem_private_key = identity.key;
  options.pem_cert_chain = identity.certificate;
  return grpc::SslCredentials(options);
}

}  // namespace ipp
