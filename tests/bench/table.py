"""Figures as a table that reads well in a terminal and in a file."""
import statistics
import sys


def medians(samples):
    """One dictionary out of those of several rounds."""
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def show(title, header, rows, notes=()):
    """The first column is text, the others are numbers or text."""
    cells = [header] + [[cell if isinstance(cell, str) else number(cell) for cell in row]
                        for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in cells]
    print(f"\n{title}\n")
    print("  " + lines[0])
    print("  " + "  ".join("-" * width for width in widths))
    for line in lines[1:]:
        print("  " + line)
    for note in notes:
        print(f"  {note}")
    sys.stdout.flush()


def number(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="" if text else "\r", file=sys.stderr, flush=True)


def row(name, value, unit, floor_name, floor, wanted=""):
    """A figure beside its floor."""
    return [f"{name}, {unit}", value, floor, f"{value / floor:.2f}" if floor else "",
            floor_name, wanted]


def show_rows(title, rows, notes=()):
    show(title, ["", "value", "floor", "ratio", "floor is", "wanted"], rows, notes)
