#include "simulator/ids.h"

#include <cctype>
#include <cstdint>

namespace ipp::simulator {
namespace {

constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kTypeable = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

}  // namespace

IdMaker::IdMaker() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  random_.seed(seed);
}

std::string IdMaker::Uuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  const uint64_t words[2] = {(random_() & 0xffffffffffff0fffULL) | 0x4000ULL,
                             (random_() & 0x3fffffffffffffffULL) | 0x8000000000000000ULL};
  std::string text;
  text.reserve(36);
  for (int digit = 0; digit < 32; ++digit) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) text.push_back('-');
    text.push_back(kHex[(words[digit / 16] >> (60 - digit % 16 * 4)) & 15]);
  }
  return text;
}

std::string IdMaker::Pick(std::string_view alphabet, size_t count) {
  std::uniform_int_distribution<size_t> index(0, alphabet.size() - 1);
  std::string text;
  text.reserve(count);
  for (size_t i = 0; i < count; ++i) text.push_back(alphabet[index(random_)]);
  return text;
}

std::string IdMaker::EventId() { return "kevt_" + Pick(kBase62, 22); }
std::string IdMaker::WebhookId() { return "msg_" + Pick(kBase62, 22); }
std::string IdMaker::TypeableEnrollmentCode() { return "ZZ" + Pick(kTypeable, 6); }
std::string IdMaker::LongEnrollmentCode() { return "c0dec0de" + Uuid().substr(8); }
std::string IdMaker::BearerToken() { return "sim_" + Pick(kBase62, 40); }
std::string IdMaker::HardwareId() { return "SIM-" + Pick(kTypeable, 12); }

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace ipp::simulator
