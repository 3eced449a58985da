#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "gtest/gtest.h"

namespace ipp {

// A message in protobuf's text format, on one line, the same in each process and for a parser to
// read. ShortDebugString() is not: from Protobuf 30 on it is for people alone.
inline std::string TextOf(const google::protobuf::Message& message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  EXPECT_TRUE(printer.PrintToString(message, &text));
  return text;
}

}  // namespace ipp
