#!/usr/bin/env python3
"""Measures the gateway beside the floors under it, in one run. README.md says what and how."""
import argparse
import dataclasses
import os
import time

import commits
import creates
import fanout
import intake
import micro
import streams
import unary
from bed import Bed, busy_share

QUIET = 0.1  # of the machine's CPU time


@dataclasses.dataclass
class Size:
    rounds: int         # each figure is the median of so many, taken in turn
    min_time: float     # seconds of each benchmark in one process
    unary: list         # (in flight, connections, calls)
    creates: list       # (in flight, calls)
    webhooks: dict      # connections → webhooks
    commits: list       # events a commit
    commit_rounds: int
    commit_slice: float  # seconds
    latency: dict       # events per second → events
    fanout: dict        # subscribers → events
    held: list          # streams at once
    held_events: int
    held_rounds: int
    resume: int         # events in the log
    resume_rounds: int


FULL = Size(rounds=3, min_time=0.2,
            unary=[(1, 1, 3000), (32, 1, 12000), (128, 1, 16000), (128, 4, 16000)],
            creates=[(1, 500), (16, 3000), (64, 6000)],
            webhooks={1: 1500, 16: 8000, 64: 16000},
            commits=[1, 16, 64, 256], commit_rounds=15, commit_slice=0.1,
            latency={50: 150, 1000: 2000},
            fanout={100: 300, 1000: 40, 5000: 8},
            held=[2000, 10000], held_events=5, held_rounds=1,
            resume=1_000_000, resume_rounds=3)
QUICK = Size(rounds=1, min_time=0.1,
             unary=[(1, 1, 1500), (32, 1, 6000), (128, 1, 10000), (128, 4, 10000)],
             creates=[(1, 200), (16, 1000), (64, 3000)],
             webhooks={1: 500, 16: 3000, 64: 6000},
             commits=[1, 16, 64, 256], commit_rounds=3, commit_slice=0.05,
             latency={50: 50, 1000: 1000},
             fanout={100: 150, 1000: 20},
             held=[2000], held_events=3, held_rounds=1,
             resume=200_000, resume_rounds=1)
SMOKE = Size(rounds=1, min_time=0.001, unary=[(1, 1, 20), (8, 2, 50)],
             creates=[(1, 5), (4, 20)],
             webhooks={1: 5, 4: 20}, commits=[1, 4], commit_rounds=1, commit_slice=0.001,
             latency={200: 10}, fanout={5: 5}, held=[20, 40], held_events=1, held_rounds=1,
             resume=2000, resume_rounds=1)

SECTIONS = {"unary": unary.run, "creates": creates.run, "json": micro.run_json, "events/webhooks": intake.run_webhooks,
            "events/commits": commits.run, "events/latency": intake.run_latency,
            "events/fanout": fanout.run, "events/held": streams.run_held,
            "events/resume": streams.run_resume}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, under a minute")
    parser.add_argument("--smoke", action="store_true", help="only that everything runs")
    parser.add_argument("--pin", type=int, metavar="N",
                        help="everything on the first N CPUs that this process may use")
    parser.add_argument("build", help="a build folder, of the release preset for real figures")
    parser.add_argument("filter", nargs="*", default=[""],
                        help=f"parts of sections' names: {', '.join(SECTIONS)}")
    options = parser.parse_intermixed_args()
    chosen = {name: run for name, run in SECTIONS.items() if any(part in name for part in options.filter)}
    for part in options.filter:
        if not any(part in name for name in SECTIONS):
            parser.error(f"no section's name contains {part!r}: {', '.join(SECTIONS)}")
    size = SMOKE if options.smoke else QUICK if options.quick else FULL
    began = time.monotonic()
    cpus = sorted(os.sched_getaffinity(0))
    if options.pin:
        if not 0 < options.pin <= len(cpus):
            parser.error(f"--pin {options.pin}: there are {len(cpus)} CPUs")
        cpus = cpus[:options.pin]
        os.sched_setaffinity(0, cpus)  # all that it starts inherits this
    print(f"{len(cpus)} of {os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}; "
          f"median of {size.rounds}")
    busy = busy_share()
    if busy > QUIET and not options.smoke:
        print(f"NOT QUIET: others use {busy:.0%} of the machine. Read the ratios with care, or measure again later.")
    with Bed(options.build) as bed:
        if not chosen.keys() <= {"json", "events/commits"}:
            bed.start_upstream()
        for run in chosen.values():
            run(bed, size)
    print(f"\n{time.monotonic() - began:.0f} s, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
