#pragma once

namespace ipp::client {

// The version of this library and of ippctl: "0.1.0".
const char* Version();

}  // namespace ipp::client
