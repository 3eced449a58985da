#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

// Text for a terminal.
namespace ipp::ippctl {

// One line, safe to print: control characters and bytes that are not UTF-8 become U+FFFD. Names
// come from phones and shops, and a terminal executes escape sequences.
std::string Printable(absl::string_view text);

// Columns that printable UTF-8 takes: combining marks none, East Asian wide characters and emoji
// two.
size_t DisplayWidth(absl::string_view text);

// Aligned columns, two spaces apart, no trailing spaces. Cells are made printable.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "Name   value" lines, aligned. Rows with an empty value are left out.
class Properties {
 public:
  void Add(std::string name, std::string value);
  std::string Render() const;

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

// `minor` units with as many decimals as ISO 4217 gives the currency: "250.00 SEK", "-3 JPY".
std::string FormatMoney(int64_t minor, absl::string_view currency);

// RFC 3339 in UTC, whole seconds; empty for a time that is not set.
std::string FormatTimestamp(const google::protobuf::Timestamp& time);

// How long ago, in the largest unit that fits: "45s", "12m", "3h", "2d". Clocks differ: less than
// nothing is "0s".
std::string FormatAge(absl::Duration age);

}  // namespace ipp::ippctl
