#include "server/app_options.h"

#include <string>

#include "server/config/config.h"

namespace ipp {

upstream::CorrelationField CorrelationOf(const config::Creates& creates) {
  const std::string& field = creates.correlation();
  if (field == "merchant_data") return upstream::CorrelationField::kMerchantData;
  if (field == "merchant_reference2") return upstream::CorrelationField::kMerchantReference2;
  if (field == "off") return upstream::CorrelationField::kNone;
  return upstream::CorrelationField::kFirstEmpty;
}

void SetLimits(const config::Connections& connections, rpc::ServerOptions* options) {
  options->max_connections = connections.max();
  options->max_per_peer = connections.max_per_peer();
  options->max_calls = connections.max_calls();
  options->memory_bytes = connections.memory_bytes();
  options->handshake_timeout = config::ToDuration(connections.handshake_timeout());
  options->keepalive_time = config::ToDuration(connections.keepalive_time());
  options->keepalive_timeout = config::ToDuration(connections.keepalive_timeout());
  options->max_idle = config::ToDuration(connections.max_idle());
  options->max_age = config::ToDuration(connections.max_age());
}

}  // namespace ipp
