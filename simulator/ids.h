#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace ipp::simulator {

// Makes every identifier of the simulator. Not for secrets of real value: a fast generator, seeded
// once. One thread.
class IdMaker {
 public:
  IdMaker();

  std::string Uuid();       // version 4, lower case
  std::string EventId();    // kevt_ and 22 base62 characters
  std::string WebhookId();  // msg_ and 22 base62 characters
  // Both have a fixed prefix, so that a leaked one is recognised.
  std::string TypeableEnrollmentCode();  // 8 characters without look-alikes, "ZZ…"
  std::string LongEnrollmentCode();      // a UUID, "c0dec0de-…"
  std::string BearerToken();
  std::string HardwareId();

 private:
  std::string Pick(std::string_view alphabet, size_t count);

  std::mt19937_64 random_;
};

bool IsUuid(std::string_view text);
std::string LowerCase(std::string_view text);

}  // namespace ipp::simulator
