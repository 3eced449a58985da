#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "server/store/store.h"

// What every store keeps, so that the same transaction has the same fate in each: bounded by the
// strictest of them. Pure. Sources: an entry of a PostgreSQL index of two ids is at most 2,704
// bytes (nbtree.h, BTMaxItemSize), a message of its protocol 1 GiB, a protobuf message 2 GiB.
namespace ipp::store {

// The longest merchant_id, session_id and request_id, in bytes.
inline constexpr size_t kMaxIdBytes = 512;
// The most that one transaction writes. Far above what comes in: an answer of the upstream is at
// most 8 MiB, a webhook 16 MiB.
inline constexpr size_t kMaxTransactionBytes = size_t{64} << 20;

// INVALID_ARGUMENT, naming the field, when no store keeps what `transaction` writes. Every store
// asks after `decide`, and then writes nothing of it.
absl::Status CheckKeepable(const Transaction& transaction, const Writes& writes);

// How many bytes are written, about.
size_t BytesOf(const Writes& writes);

// The form in which a store remembers a dedup key of any length: as it is, or its SHA-256 when it
// is longer than an id may be.
std::string KeptDedupKey(std::string key);

}  // namespace ipp::store
