#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/gateway_streams.h"
#include "tests/support/gateway_under_test.h"

namespace ipp {

// A metadata list, in which a key may be there twice.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Any RPC by its path, with any bytes as its request: a stub would send nothing that is not well
// made. "CODE_NUMBER REASON", or "OK n" with how many messages came.
std::string CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                    const std::string& request, const Metadata& metadata,
                    absl::Duration timeout = absl::Seconds(30));

// The same over bytes that no gRPC client would send: `fields` are the HEADERS of one stream, as
// they are. True when the server has ended the stream or the connection, as it must.
bool PokeHttp2(int port, const Metadata& fields);

// Two merchants: the victim's, who has a device, a session, events; and the thief's.
class ForbiddenBed {
 public:
  ForbiddenBed();

  // A connection of its own: the gateway may end one that is misused.
  std::shared_ptr<grpc::Channel> channel() const { return bed_.gateway.NewChannel(); }
  const GatewayBed& bed() const { return bed_; }
  RunningGateway& gateway() { return bed_.gateway; }
  const RunningSimulator& simulator() const { return bed_.simulator; }

  // The victim's.
  std::string session;
  std::string request_id = "0a0b0c0d-0000-4000-8000-0000000000aa";  // of the session's create
  std::string device;
  std::string cursor;      // of a stream that saw everything
  std::string page_token;  // of a list of devices, page_size 1
  std::string outcomes_token;
  std::string sessions_token;

  // Of the victim's session now, as the upstream has it.
  std::string SessionNow() const;

 private:
  GatewayBed bed_;
};

}  // namespace ipp
