#!/usr/bin/env python3
"""Measures the gateway beside the floors under it, in one run. README.md says what and how."""
import argparse
import dataclasses
import os
import time

import fanout
import micro
import unary
from bed import Bed


@dataclasses.dataclass
class Size:
    rounds: int       # each figure is the median of so many, taken in turn
    min_time: float   # seconds of each benchmark in one process
    unary: list       # (in flight, connections, calls)
    fanout: dict      # subscribers → events


FULL = Size(3, 0.2, [(1, 1, 3000), (32, 1, 12000), (128, 1, 16000), (128, 4, 16000)],
            {100: 300, 1000: 60})
QUICK = Size(1, 0.1, [(1, 1, 1500), (32, 1, 6000), (128, 1, 10000), (128, 4, 10000)],
             {100: 150, 1000: 20})
SMOKE = Size(1, 0.001, [(1, 1, 20), (8, 2, 50)], {5: 5})

SECTIONS = {"unary": unary.run, "json": micro.run_json, "store": micro.run_store,
            "fanout": fanout.run}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, under a minute")
    parser.add_argument("--smoke", action="store_true", help="only that everything runs")
    parser.add_argument("build", help="a build folder, of the release preset for real figures")
    parser.add_argument("filter", nargs="?", default="",
                        help=f"part of a section's name: {', '.join(SECTIONS)}")
    options = parser.parse_args()
    chosen = {name: run for name, run in SECTIONS.items() if options.filter in name}
    if not chosen:
        parser.error(f"no section's name contains {options.filter!r}: {', '.join(SECTIONS)}")
    size = SMOKE if options.smoke else QUICK if options.quick else FULL
    began = time.monotonic()
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}; "
          f"median of {size.rounds}")
    with Bed(options.build) as bed:
        if {"unary", "fanout"} & chosen.keys():
            bed.start_gateway()
        for run in chosen.values():
            run(bed, size)
    print(f"\n{time.monotonic() - began:.0f} s, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
