#pragma once

#include <string>
#include <vector>

#include "google/protobuf/message.h"

namespace ipp::creates {

// The message as bytes that are the same whenever the message is, save its request_id.
std::string Fingerprint(const google::protobuf::Message& request);

// The fields in which `request` differs from the one that `fingerprint` was made of:
// "order_items[2].total_amount". At most ten. No values.
std::vector<std::string> DifferingFields(const google::protobuf::Message& request,
                                         const std::string& fingerprint);

}  // namespace ipp::creates
