#include <benchmark/benchmark.h>
#include <google/protobuf/util/json_util.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>

#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/json/message_json.h"

// One device as the upstream prints it, read and written by us, beside the floors (RapidJSON with
// an empty handler; RapidJSON's writer fed with the same values) and beside protobuf's own
// json_util.
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kDevice[] =
    R"({"id":"550e8400-e29b-41d4-a716-446655440000","hardware_id":"sim-0001",)"
    R"("merchant_id":"DM00000001","location_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7",)"
    R"("name":"Counter 1","platform":"IOS","metadata":{"store_id":"123"},)"
    R"("created_at":"2026-09-21T14:13:20Z","open_cash_register_id":12})";

// The same for json_util, whose enum words have their prefix.
constexpr char kDeviceForUtil[] =
    R"({"id":"550e8400-e29b-41d4-a716-446655440000","hardware_id":"sim-0001",)"
    R"("merchant_id":"DM00000001","location_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7",)"
    R"("name":"Counter 1","platform":"DEVICE_PLATFORM_IOS","metadata":{"store_id":"123"},)"
    R"("created_at":"2026-09-21T14:13:20Z","open_cash_register_id":12})";

std::string SessionJson(int items) {
  std::string json = R"({"session_id":"11111111-1111-4111-8111-111111111111","status":"CREATED",)"
                     R"("device_id":"550e8400-e29b-41d4-a716-446655440000","order_amount":25000,)"
                     R"("order_tax_amount":5000,"purchase_currency":"SEK",)"
                     R"("purchase_started_at":"2026-09-21T14:13:20Z","order_items":[)";
  for (int i = 0; i < items; ++i) {
    if (i > 0) json += ',';
    json += R"({"type":"physical","reference":"COUNTER-1","name":"Counter product","quantity":2,)"
            R"("unit_price":12500,"total_amount":25000,"tax_rate":2500,"total_discount_amount":0,)"
            R"("total_tax_amount":5000})";
  }
  return json + R"(],"merchant_reference1":"SHOP-1001"})";
}

template <typename T>
T Parsed(const std::string& json) {
  T message;
  if (!ipp::json::Read(json, &message).ok()) std::abort();
  return message;
}

void Bytes(benchmark::State& state, size_t size) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * size));
}

void SaxEmptyHandler(benchmark::State& state, const std::string& json) {
  for (auto _ : state) {
    rapidjson::BaseReaderHandler<> handler;
    rapidjson::Reader reader;
    rapidjson::StringStream stream(json.c_str());
    benchmark::DoNotOptimize(reader.Parse(stream, handler));
  }
  Bytes(state, json.size());
}

template <typename T>
void Read(benchmark::State& state, const std::string& json) {
  for (auto _ : state) {
    T message;
    if (!ipp::json::Read(json, &message).ok()) std::abort();
    benchmark::DoNotOptimize(message);
  }
  Bytes(state, json.size());
}

// Reading is followed by sending: a map's cost is partly put off until then.
template <typename T>
void ReadAndSerialize(benchmark::State& state, const std::string& json) {
  std::string bytes;
  for (auto _ : state) {
    T message;
    if (!ipp::json::Read(json, &message).ok()) std::abort();
    if (!message.SerializeToString(&bytes)) std::abort();
    benchmark::DoNotOptimize(bytes);
  }
  Bytes(state, json.size());
}

template <typename T>
void ParseBinary(benchmark::State& state, const std::string& json) {
  const std::string bytes = Parsed<T>(json).SerializeAsString();
  for (auto _ : state) {
    T message;
    if (!message.ParseFromString(bytes)) std::abort();
    benchmark::DoNotOptimize(message);
  }
}

void JsonUtilRead(benchmark::State& state) {
  const std::string json = kDeviceForUtil;
  for (auto _ : state) {
    v1::Device device;
    if (!google::protobuf::util::JsonStringToMessage(json, &device).ok()) std::abort();
    benchmark::DoNotOptimize(device);
  }
  Bytes(state, json.size());
}

void RapidWriterDevice(benchmark::State& state) {
  const auto device = Parsed<v1::Device>(kDevice);
  for (auto _ : state) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    const auto key = [&](const char* name) { writer.Key(name); };
    const auto string = [&](const std::string& value) {
      writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    writer.StartObject();
    key("id"), string(device.id());
    key("hardware_id"), string(device.hardware_id());
    key("merchant_id"), string(device.merchant_id());
    key("location_id"), string(device.location_id());
    key("name"), string(device.name());
    key("platform"), writer.String("IOS");
    key("metadata"), writer.StartObject();
    for (const auto& [name, value] : device.metadata()) string(name), string(value);
    writer.EndObject();
    key("created_at"), writer.String("2026-09-21T14:13:20Z");
    key("open_cash_register_id"), writer.Int64(device.open_cash_register_id());
    writer.EndObject();
    benchmark::DoNotOptimize(buffer.GetString());
  }
}

template <typename T>
void Write(benchmark::State& state, const std::string& json) {
  const T message = Parsed<T>(json);
  size_t size = 0;
  for (auto _ : state) {
    std::string out;
    if (!ipp::json::Write(message, &out).ok()) std::abort();
    benchmark::DoNotOptimize(out);
    size = out.size();
  }
  Bytes(state, size);
}

void JsonUtilWrite(benchmark::State& state) {
  const auto device = Parsed<v1::Device>(kDevice);
  for (auto _ : state) {
    std::string out;
    if (!google::protobuf::util::MessageToJsonString(device, &out).ok()) std::abort();
    benchmark::DoNotOptimize(out);
  }
}

[[maybe_unused]] const bool kRegistered = [] {
  const std::string device = kDevice;
  const std::string session = SessionJson(5);
  const auto add = [](const char* name, auto function, const auto&... json) {
    benchmark::RegisterBenchmark(name, function, json...);
  };
  add("json/read/device/floor_sax", SaxEmptyHandler, device);
  add("json/read/device/ours", Read<v1::Device>, device);
  add("json/read/device/ours_and_serialize", ReadAndSerialize<v1::Device>, device);
  add("json/read/device/protobuf_binary", ParseBinary<v1::Device>, device);
  add("json/read/device/json_util", JsonUtilRead);
  add("json/read/session/floor_sax", SaxEmptyHandler, session);
  add("json/read/session/ours", Read<v1::Session>, session);
  add("json/write/device/floor_writer", RapidWriterDevice);
  add("json/write/device/ours", Write<v1::Device>, device);
  add("json/write/device/json_util", JsonUtilWrite);
  add("json/write/session/ours", Write<v1::Session>, session);
  return true;
}();

}  // namespace
