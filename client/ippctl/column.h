#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "client/ippctl/look.h"

namespace ipp::ippctl {

// One column of a command's table. The table, `-o wide`, the lines of a stream, `-o name` (the
// first column) and the help are all made of these.
struct Column {
  std::string header = "";
  // The text for one row, which is a message of the type that the command lists.
  std::function<std::string(const google::protobuf::Message& row, const Look& look)> cell = {};
  // Only with -o wide.
  bool wide = false;
  // Free text, which is cut when the table is too wide for the terminal.
  bool shrinks = false;
  // A TableTime: lines of a stream are padded to what that takes.
  bool time = false;
  // When that is not enough, the columns with the highest number are left out; 0 stays.
  int drop = 0;
  // Lines of a stream are padded to it, since later ones are not known yet.
  size_t width = 0;
  // The colour goes by the cell's word: a status.
  bool painted = false;
  // The row's id, for -o name, when that is not the first column.
  bool id = false;
};

// What a note of a stream's line usually takes: "order " and a UUID.
constexpr size_t kOrderNote = 42;

// A column for rows of type Row; `cell` takes the row, and if it likes the Look.
//   ColumnOf<v1::Device>("NAME", [](const v1::Device& d) { return d.name(); }, {.shrinks = true})
template <typename Row, typename Cell>
Column ColumnOf(std::string header, Cell cell, Column how = {}) {
  how.header = std::move(header);
  how.cell = [cell = std::move(cell)](const google::protobuf::Message& row, const Look& look) {
    const auto& typed = static_cast<const Row&>(row);
    if constexpr (std::is_invocable_v<Cell, const Row&, const Look&>) {
      return std::string(cell(typed, look));
    } else {
      (void)look;
      return std::string(cell(typed));
    }
  };
  return how;
}

// The table of `rows`, with the columns' headers. It fits `look.width`, as far as times may be
// shortened and columns be cut or left out; `wide` takes the width that it needs.
std::string RenderTable(const std::vector<Column>& columns,
                        const std::vector<const google::protobuf::Message*>& rows, bool wide,
                        const Look& look);

// One line of a stream: the columns padded to their widths, without a header. What does not fit
// `look.width` is treated alike, but for columns that are no free text: those are printed.
std::string RenderLine(const std::vector<Column>& columns, const google::protobuf::Message& row,
                       bool wide, const Look& look);

}  // namespace ipp::ippctl
