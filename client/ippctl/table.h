#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "client/ippctl/look.h"

namespace ipp::ippctl {

// Aligned columns, two spaces apart, no trailing spaces. Cells are made printable.
class Table {
 public:
  struct Heading {
    std::string text;
    bool shrinks = false;  // cut with "…" when the table is too wide
    int drop = 0;          // left out when it still is, the highest first; 0 stays
    bool painted = false;  // the colour goes by the cell's word
  };

  explicit Table(std::vector<std::string> headings);
  explicit Table(std::vector<Heading> headings) : headings_(std::move(headings)) {}

  void Add(std::vector<std::string> row);
  // What it takes when nothing is cut.
  size_t Width() const;
  // Fits `look.width`, as far as columns may be cut or left out.
  std::string Render(const Look& look = {}) const;

 private:
  std::vector<size_t> Widths() const;

  std::vector<Heading> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// The table that `make` makes for a Look, with short times if it does not fit otherwise. `wide`
// takes the width that it needs.
std::string RenderInRoom(const std::function<Table(const Look&)>& make, bool wide, Look look);

// The cells, made printable and padded to `widths`, two spaces apart, and a newline.
std::string AlignedLine(const std::vector<std::string>& cells, const std::vector<size_t>& widths);

// "Name   value" lines, aligned. Rows with an empty value are left out; a name's second value
// stands below the first.
class Properties {
 public:
  void Add(std::string name, std::string value, Paint paint = Paint::kNone);
  std::string Render(const Look& look = {}) const;

 private:
  struct Row {
    std::string name;
    std::string value;
    Paint paint;
  };
  std::vector<Row> rows_;
};

}  // namespace ipp::ippctl
