#include "client/ippctl/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "client/ippctl/column.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kLeast = 8;  // columns that a cut cell keeps

size_t TotalWidth(const std::vector<size_t>& widths, const std::vector<size_t>& shown) {
  size_t total = 0;
  for (const size_t i : shown) total += widths[i] + kGap;
  return total < kGap ? 0 : total - kGap;
}

// The column that is left out next; `shown.size()` when none may be.
size_t NextToDrop(const std::vector<Table::Heading>& headings, const std::vector<size_t>& shown) {
  size_t found = shown.size();
  for (size_t i = 0; i < shown.size(); ++i) {
    const int drop = headings[shown[i]].drop;
    if (drop > 0 && (found == shown.size() || drop >= headings[shown[found]].drop)) found = i;
  }
  return found;
}

// Makes `widths` and `shown` fit `limit` as far as the headings allow it: first the columns of free
// text are cut, then columns are left out, after which there may be more room for the text.
void Fit(const std::vector<Table::Heading>& headings, size_t limit, std::vector<size_t>* widths,
         std::vector<size_t>* shown) {
  const std::vector<size_t> natural = *widths;
  while (true) {
    *widths = natural;
    for (size_t total = TotalWidth(*widths, *shown); total > limit; --total) {
      size_t widest = headings.size();
      for (const size_t i : *shown) {
        if (headings[i].shrinks && (*widths)[i] > kLeast &&
            (widest == headings.size() || (*widths)[i] > (*widths)[widest])) {
          widest = i;
        }
      }
      if (widest == headings.size()) break;
      --(*widths)[widest];
    }
    if (TotalWidth(*widths, *shown) <= limit) return;
    const size_t next = NextToDrop(headings, *shown);
    if (next == shown->size()) return;
    shown->erase(shown->begin() + static_cast<std::ptrdiff_t>(next));
  }
}

}  // namespace

Table::Table(std::vector<std::string> headings) {
  for (std::string& text : headings) headings_.push_back({.text = std::move(text)});
}

void Table::Add(std::vector<std::string> row) {
  for (std::string& cell : row) cell = Printable(cell);
  rows_.push_back(std::move(row));
}

std::string Table::Render(const Look& look) const {
  std::vector<size_t> widths;
  for (const Heading& heading : headings_) widths.push_back(DisplayWidth(heading.text));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::vector<size_t> shown(headings_.size());
  std::iota(shown.begin(), shown.end(), 0);
  if (look.width > 0) Fit(headings_, static_cast<size_t>(look.width), &widths, &shown);

  std::string text;
  const auto line = [&](const auto& cell_of, const auto& paint_of) {
    std::string line;
    size_t gap = 0;  // before the next cell that is not empty, so that no line ends with spaces
    for (const size_t i : shown) {
      const std::string cell = Shortened(cell_of(i), widths[i]);
      if (!cell.empty()) {
        absl::StrAppend(&line, std::string(gap, ' '), Painted(cell, paint_of(i, cell), look.color));
        gap = 0;
      }
      gap += widths[i] - DisplayWidth(cell) + kGap;
    }
    absl::StrAppend(&text, line, "\n");
  };
  line([&](size_t i) { return headings_[i].text; },
       [](size_t, const auto&) { return Paint::kBold; });
  for (const auto& row : rows_) {
    line([&](size_t i) { return row[i]; },
         [&](size_t i, const std::string& cell) {
           return headings_[i].painted ? PaintOf(cell) : Paint::kNone;
         });
  }
  return text;
}

std::string AlignedLine(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = Printable(cells[i]);
    const size_t width = DisplayWidth(cell);
    absl::StrAppend(&line, cell, std::string(std::max(width, widths[i]) - width + kGap, ' '));
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

void Properties::Add(std::string name, std::string value, Paint paint) {
  if (!value.empty()) rows_.push_back({std::move(name), Printable(value), paint});
}

std::string Properties::Render(const Look& look) const {
  size_t width = 0;
  for (const Row& row : rows_) width = std::max(width, DisplayWidth(row.name));
  std::string text;
  for (const Row& row : rows_) {
    absl::StrAppend(&text, row.name, std::string(width - DisplayWidth(row.name) + kGap, ' '),
                    Painted(row.value, row.paint, look.color), "\n");
  }
  return text;
}

std::string RenderTable(const std::vector<Column>& columns,
                        const std::vector<const google::protobuf::Message*>& rows, bool wide,
                        const Look& look) {
  std::vector<Table::Heading> headings;
  for (const Column& column : columns) {
    if (column.wide && !wide) continue;
    headings.push_back({.text = column.header,
                        .shrinks = column.shrinks,
                        .drop = wide ? 0 : column.drop,
                        .painted = column.painted});
  }
  Table table(std::move(headings));
  for (const google::protobuf::Message* row : rows) {
    std::vector<std::string> cells;
    for (const Column& column : columns) {
      if (!column.wide || wide) cells.push_back(column.cell(*row, look));
    }
    table.Add(std::move(cells));
  }
  return table.Render(look);
}

std::string RenderLine(const std::vector<Column>& columns, const google::protobuf::Message& row,
                       bool wide, const Look& look) {
  std::string line;
  size_t gap = 0;
  for (const Column& column : columns) {
    if (column.wide && !wide) continue;
    const std::string cell = Printable(column.cell(row, look));
    const size_t width = DisplayWidth(cell);
    if (width > 0) {
      absl::StrAppend(&line, std::string(gap, ' '),
                      Painted(cell, column.painted ? PaintOf(cell) : Paint::kNone, look.color));
      gap = 0;
    }
    gap += std::max(width, column.width) - width + kGap;
  }
  return line + "\n";
}

}  // namespace ipp::ippctl
