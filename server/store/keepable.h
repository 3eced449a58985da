#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/store/store.h"

// Limits on what a transaction may write. They are the same for every store, so that a transaction
// succeeds or fails alike in each, and are those of the strictest database. Pure functions.
// Sources: an entry of a PostgreSQL index of two ids is at most 2,704 bytes (nbtree.h,
// BTMaxItemSize), a message of its protocol 1 GiB, a protobuf message 2 GiB.
namespace ipp::store {

// The longest merchant_id, session_id and request_id, in bytes.
inline constexpr size_t kMaxIdBytes = 512;
// The largest total size of what one transaction writes. Far above real input: an upstream answer
// is at most 8 MiB, a webhook 16 MiB.
inline constexpr size_t kMaxTransactionBytes = size_t{64} << 20;

// INVALID_ARGUMENT, naming the field, when what `transaction` writes breaks a limit. Every store
// calls this after `decide`, and on an error writes nothing of the transaction.
absl::Status CheckKeepable(const Transaction& transaction, const Writes& writes);

// The approximate size of what is written, in bytes.
size_t BytesOf(const Writes& writes);

// `time` as the stores keep it: in nanoseconds, from 1677 to 2262.
inline absl::Time KeptTime(absl::Time time) { return absl::FromUnixNanos(absl::ToUnixNanos(time)); }

// The stored form of a dedup key: the key itself, or its SHA-256 when it is longer than
// kMaxIdBytes.
std::string KeptDedupKey(std::string key);

}  // namespace ipp::store
