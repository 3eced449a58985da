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

std::vector<size_t> Table::Widths() const {
  std::vector<size_t> widths;
  for (const Heading& heading : headings_) widths.push_back(DisplayWidth(heading.text));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  return widths;
}

size_t Table::Width() const {
  const std::vector<size_t> widths = Widths();
  return std::accumulate(widths.begin(), widths.end(), kGap * widths.size()) - kGap;
}

std::string Table::Render(const Look& look) const {
  std::vector<size_t> widths = Widths();
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

std::string RenderInRoom(const std::function<Table(const Look&)>& make, bool wide, Look look) {
  if (wide) look.width = 0;
  const Table table = make(look);
  if (look.width == 0 || table.Width() <= static_cast<size_t>(look.width)) {
    return table.Render(look);
  }
  look.short_times = true;
  return make(look).Render(look);
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

namespace {

// The columns that are printed.
std::vector<const Column*> Shown(const std::vector<Column>& columns, bool wide) {
  std::vector<const Column*> shown;
  for (const Column& column : columns) {
    if (wide || !column.wide) shown.push_back(&column);
  }
  return shown;
}

Table TableOf(const std::vector<const Column*>& columns,
              const std::vector<const google::protobuf::Message*>& rows, const Look& look) {
  std::vector<Table::Heading> headings;
  for (const Column* column : columns) {
    headings.push_back({.text = column->header,
                        .shrinks = column->shrinks,
                        .drop = column->drop,
                        .painted = column->painted});
  }
  Table table(std::move(headings));
  for (const google::protobuf::Message* row : rows) {
    std::vector<std::string> cells;
    for (const Column* column : columns) cells.push_back(column->cell(*row, look));
    table.Add(std::move(cells));
  }
  return table;
}

// What the columns of a stream's lines are padded to.
std::vector<size_t> StreamWidths(const std::vector<const Column*>& columns, const Look& look) {
  std::vector<size_t> widths;
  for (const Column* column : columns) {
    widths.push_back(column->time ? TableTimeWidth(look) : column->width);
  }
  return widths;
}

size_t SumWithGaps(const std::vector<size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * widths.size()) - kGap;
}

}  // namespace

std::string RenderTable(const std::vector<Column>& columns,
                        const std::vector<const google::protobuf::Message*>& rows, bool wide,
                        const Look& look) {
  const std::vector<const Column*> shown = Shown(columns, wide);
  return RenderInRoom([&](const Look& as) { return TableOf(shown, rows, as); }, wide, look);
}

std::string RenderLine(const std::vector<Column>& columns, const google::protobuf::Message& row,
                       bool wide, const Look& look) {
  const std::vector<const Column*> shown = Shown(columns, wide);
  Look as = look;
  if (wide) as.width = 0;
  std::vector<size_t> widths = StreamWidths(shown, as);
  if (as.width > 0 && SumWithGaps(widths) > static_cast<size_t>(as.width)) {
    as.short_times = true;
    widths = StreamWidths(shown, as);
  }
  std::string line;
  size_t used = 0;  // columns, without the gap before the next cell
  size_t at = 0;    // where the next cell begins
  for (size_t i = 0; i < shown.size(); ++i) {
    std::string cell = Printable(shown[i]->cell(row, as));
    if (shown[i]->shrinks && as.width > 0) {
      const size_t limit = static_cast<size_t>(as.width);
      const size_t room = limit > at ? limit - at : 0;
      if (DisplayWidth(cell) > room) cell = room < kLeast ? "" : Shortened(cell, room);
    }
    const size_t width = DisplayWidth(cell);
    if (width > 0) {
      absl::StrAppend(&line, std::string(at - used, ' '),
                      Painted(cell, shown[i]->painted ? PaintOf(cell) : Paint::kNone, as.color));
      used = at + width;
    }
    at += std::max(width, widths[i]) + kGap;
  }
  return line + "\n";
}

}  // namespace ipp::ippctl
