#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/webhook/receiver.h"
#include "server/webhook/signature.h"

// A delivery that was signed by another program.
namespace ipp::webhook {

inline constexpr char kExampleSecret[] = "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0=";
inline constexpr char kExampleId[] = "msg_example_0001";
inline constexpr char kExampleTimestamp[] = "1790000000";
inline const absl::Time kExampleTime = absl::FromUnixSeconds(1'790'000'000);
inline constexpr char kExampleBody[] =
    R"({"id":"kevt_0000000000000000000001","merchant_id":"DM00000001",)"
    R"("timestamp":"2026-09-21T14:13:20.000000001Z","type":"ipp.session.finalized",)"
    R"("data":{"session_id":"11111111-1111-4111-8111-111111111111",)"
    R"("order_id":"22222222-2222-4222-8222-222222222222","failure_reason":null}})";
inline constexpr char kExampleSignature[] = "v1,8z9mtFqdlOMp0s3dfzdz2zjTjKLyHGOsevAnQObEECY=";

inline SigningKeys MakeKeys(std::vector<SigningKey> keys) {
  return std::make_shared<const std::vector<SigningKey>>(std::move(keys));
}

inline std::string ExampleKey() { return DecodeSecret(kExampleSecret).value(); }

// For tests in which every event names its merchant: an event that does not is the test's fault.
inline FindOwner NoOwner() {
  return [](auto, auto, auto done) { std::move(done)(absl::InternalError("asked for an owner")); };
}

}  // namespace ipp::webhook
