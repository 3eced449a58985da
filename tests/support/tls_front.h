#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/http_socket.h"

namespace ipp::http {

// A key and a self-signed certificate, made by the openssl program, in a directory that goes away.
class TestCertificate {
 public:
  // `names` as in subjectAltName.
  explicit TestCertificate(const std::string& names = "DNS:localhost,IP:127.0.0.1") {
    std::string pattern = (std::filesystem::temp_directory_path() / "ipp-tls-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const std::string command = absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "/CN=test -addext subjectAltName=",
        names, " -keyout ", key_file(), " -out ", cert_file(), " 2>", directory_, "/openssl.log");
    EXPECT_EQ(std::system(command.c_str()), 0) << "the openssl program is needed: " << command;
  }
  ~TestCertificate() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  std::string key_file() const { return absl::StrCat(directory_, "/key.pem"); }
  std::string cert_file() const { return absl::StrCat(directory_, "/cert.pem"); }

 private:
  std::string directory_;
};

// nghttpx as the TLS front of an HTTP/1.1 upstream on loopback: HTTP/2 and HTTP/1.1 by ALPN, or
// HTTP/1.1 alone. The upstream sees which in its Via header ("2 nghttpx"). A missing nghttpx fails
// the test.
class TlsFront {
 public:
  struct Options {
    int backend_port = 0;
    bool http2 = true;
    int workers = 1;
    std::vector<std::string> flags = {};  // more for nghttpx
  };

  TlsFront(const Options& options, const TestCertificate& certificate) {
    // nghttpx takes no port 0; so the port is ours before it starts. Up to 1.65 it takes a socket
    // that listens already, as if it took over from an older self; later ones listen by themselves,
    // with SO_REUSEPORT (nghttp2's pull request 2377), and are waited for.
    const std::string address = absl::StrCat("127.0.0.1,", listener_.port);
    std::vector<std::string> args = {
        "nghttpx",
        "--conf=/dev/null",
        "--single-process",
        "--no-ocsp",
        "--log-level=FATAL",
        "--accesslog-file=/dev/null",
        absl::StrCat("--workers=", options.workers),
        absl::StrCat("--frontend=", address),
        absl::StrCat("--backend=127.0.0.1,", options.backend_port),
        absl::StrCat("--npn-list=", options.http2 ? "h2,http/1.1" : "http/1.1")};
    args.insert(args.end(), options.flags.begin(), options.flags.end());
    args.push_back(certificate.key_file());
    args.push_back(certificate.cert_file());
    Spawn(args);
    if (ListensItself() && pid_ > 0) WaitUntilItListens();
    listener_.fd.reset();  // nghttpx has its own
  }

  ~TlsFront() {
    if (pid_ <= 0) return;
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, WNOHANG), 0) << "nghttpx ended early, status " << status;
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  int port() const { return listener_.port; }
  std::string base_url() const { return absl::StrCat("https://127.0.0.1:", port()); }

 private:
  static bool ListensItself() {
    static const bool itself = [] {
      int major = 0;
      int minor = 0;
      FILE* const said = popen("PATH=$PATH:/usr/sbin:/usr/local/bin nghttpx --version", "r");
      EXPECT_EQ(fscanf(said, "nghttpx nghttp2/%d.%d", &major, &minor), 2) << "nghttpx --version";
      pclose(said);
      return major > 1 || minor >= 66;
    }();
    return itself;
  }

  void WaitUntilItListens() const {
    while (Connect(port()).get() < 0) {
      ASSERT_EQ(waitpid(pid_, nullptr, WNOHANG), 0) << "nghttpx ended early";
      poll(nullptr, 0, 1);
    }
  }

  void Spawn(const std::vector<std::string>& args) {
    const std::string inherited = absl::StrCat("NGHTTPX_ACCEPT_1=tcp,", listener_.fd.get());
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    std::vector<char*> env = {const_cast<char*>(inherited.c_str()), nullptr};
    // The pipe closes by itself when exec works; else the error comes through it.
    int pipe_fds[2];
    ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
    const Fd from_child(pipe_fds[0]);
    Fd to_parent(pipe_fds[1]);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // not to outlive a test that crashes
      fcntl(listener_.fd.get(), F_SETFD, 0);
      for (const char* path : {"/usr/sbin/nghttpx", "/usr/bin/nghttpx", "/usr/local/bin/nghttpx"}) {
        execve(path, argv.data(), env.data());
      }
      const int error = errno;
      (void)!write(to_parent.get(), &error, sizeof(error));
      _exit(127);
    }
    to_parent.reset();
    int error = 0;
    if (read(from_child.get(), &error, sizeof(error)) != 0) {
      waitpid(pid_, nullptr, 0);
      pid_ = -1;
      FAIL() << "nghttpx does not start (Debian package nghttp2-proxy): error " << error;
    }
  }

  Listener listener_{ListensItself() ? Listener::Use::kReserve : Listener::Use::kListen};
  pid_t pid_ = -1;
};

}  // namespace ipp::http
