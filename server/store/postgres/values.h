#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

struct pg_result;

// PostgreSQL's binary wire format of the types that the store uses: bigint, boolean, bytea, text
// and arrays of them. Source: the backend's send and receive functions (src/backend/utils/adt),
// stable since version 7.4; numbers are in network byte order.
namespace ipp::store {

// Type OIDs (pg_type.dat), which the encoding of an array contains.
enum class PostgresType : uint32_t { kBool = 16, kBytea = 17, kBigint = 20 };

// One column of many rows, as an argument for `unnest`.
class PostgresArray {
 public:
  explicit PostgresArray(PostgresType type) : type_(type) {}
  void AddInt(int64_t value);
  void AddBool(bool value);
  void AddBytes(absl::string_view value);
  void AddNull();
  bool empty() const { return size_ == 0; }
  std::string Encode() const;

 private:
  const PostgresType type_;
  uint32_t size_ = 0;
  bool has_null_ = false;
  std::string items_;
};

// The arguments of a statement, in the order of its $1, $2 …
class PostgresArguments {
 public:
  PostgresArguments& Int(int64_t value);
  PostgresArguments& Bytes(absl::string_view value);
  PostgresArguments& Array(const PostgresArray& array);

  const std::vector<std::string>& values() const { return values_; }

 private:
  std::vector<std::string> values_;
};

// The rows that a statement returned, in binary format.
class PostgresRows {
 public:
  PostgresRows() = default;
  explicit PostgresRows(pg_result* result) : result_(result) {}  // takes ownership

  int size() const;
  bool IsNull(int row, int column) const;
  int64_t Int(int row, int column) const;
  bool Bool(int row, int column) const;
  absl::string_view Bytes(int row, int column) const;  // valid as long as this object
  std::string String(int row, int column) const { return std::string(Bytes(row, column)); }
  // The command tag: "COMMIT", "UPDATE 3".
  absl::string_view command() const;
  const pg_result* raw() const { return result_.get(); }

 private:
  struct Clearer {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clearer> result_;
};

}  // namespace ipp::store
