#pragma once

#include <random>

#include "google/protobuf/message.h"

namespace ipp::json::test {

// Fills a message of any type with random values, by reflection: edges of number ranges, texts with
// escapes and characters of every length, times of the whole calendar. `raw_of` fields and messages
// of google.protobuf other than Timestamp stay unset, for they are in no JSON of ours; so do the
// numbers that JSON cannot hold.
void FillAtRandom(std::mt19937* random, google::protobuf::Message* message, int depth = 0);

// Takes out what Write never writes.
void ClearRawFields(google::protobuf::Message* message);

}  // namespace ipp::json::test
