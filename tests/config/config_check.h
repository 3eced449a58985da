#pragma once

#include "absl/strings/string_view.h"

namespace ipp::config {

// What must hold for any bytes, read as a configuration; see Require. Lines in front that begin
// with IPP_ are variables, the rest is YAML.
//  * It is refused as INVALID_CONFIG, a printable line for each mistake, which says where it is;
//  the
//    word `hunter2` is in no line but as a part of a key, wherever it was in the text.
//  * Or it is valid, and written as YAML it is the same configuration again, unless something
//    was masked or was not UTF-8.
void CheckConfig(absl::string_view bytes);

}  // namespace ipp::config
