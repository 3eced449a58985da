#include "ippclient/version.h"

namespace ipp::client {

const char* Version() { return IPP_VERSION; }

}  // namespace ipp::client
