#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"

namespace ipp::creates {

// The message without its request_id as bytes that are equal for equal messages (deterministic
// serialization).
std::string Fingerprint(const google::protobuf::Message& request);

// The fields in which `request` differs from the message behind `fingerprint`, such as
// "order_items[2].total_amount". At most ten names, never values.
std::vector<std::string> DifferingFields(const google::protobuf::Message& request,
                                         const std::string& fingerprint);

}  // namespace ipp::creates
