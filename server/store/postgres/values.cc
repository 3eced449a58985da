#include "server/store/postgres/values.h"

#include <libpq-fe.h>

namespace ipp::store {
namespace {

void AppendInt(std::string* out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

void AppendItem(std::string* out, absl::string_view bytes) {
  AppendInt(out, bytes.size(), 4);
  out->append(bytes.data(), bytes.size());
}

std::string EncodeInt(int64_t value) {
  std::string bytes;
  AppendInt(&bytes, static_cast<uint64_t>(value), 8);
  return bytes;
}

}  // namespace

void PostgresArray::AddInt(int64_t value) { AddBytes(EncodeInt(value)); }

void PostgresArray::AddBool(bool value) {
  const char byte = value ? 1 : 0;
  AddBytes(absl::string_view(&byte, 1));
}

void PostgresArray::AddBytes(absl::string_view value) {
  AppendItem(&items_, value);
  ++size_;
}

void PostgresArray::AddNull() {
  AppendInt(&items_, 0xffffffff, 4);
  ++size_;
  has_null_ = true;
}

std::string PostgresArray::Encode() const {
  std::string bytes;
  AppendInt(&bytes, size_ == 0 ? 0 : 1, 4);  // dimensions
  AppendInt(&bytes, has_null_ ? 1 : 0, 4);
  AppendInt(&bytes, static_cast<uint32_t>(type_), 4);
  if (size_ == 0) return bytes;
  AppendInt(&bytes, size_, 4);
  AppendInt(&bytes, 1, 4);  // lower bound of the dimension
  return bytes + items_;
}

PostgresArguments& PostgresArguments::Int(int64_t value) { return Bytes(EncodeInt(value)); }

PostgresArguments& PostgresArguments::Bytes(absl::string_view value) {
  values_.emplace_back(value);
  return *this;
}

PostgresArguments& PostgresArguments::Array(const PostgresArray& array) {
  values_.push_back(array.Encode());
  return *this;
}

void PostgresRows::Clearer::operator()(pg_result* result) const { PQclear(result); }

int PostgresRows::size() const { return PQntuples(result_.get()); }

bool PostgresRows::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

int64_t PostgresRows::Int(int row, int column) const {
  uint64_t value = 0;
  for (const char byte : Bytes(row, column)) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<int64_t>(value);
}

bool PostgresRows::Bool(int row, int column) const { return Int(row, column) != 0; }

absl::string_view PostgresRows::Bytes(int row, int column) const {
  return absl::string_view(PQgetvalue(result_.get(), row, column),
                           static_cast<size_t>(PQgetlength(result_.get(), row, column)));
}

absl::string_view PostgresRows::command() const { return PQcmdStatus(result_.get()); }

}  // namespace ipp::store
