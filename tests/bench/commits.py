"""Durable events per second into a store, beside the same rows without one."""
import re
import subprocess

from table import progress, row, show_rows

WANTED = "≥ 0.70"


def run(bed, size):
    progress("commits")
    done = subprocess.run(
        [str(bed.build / "tests/bench/store_bench"),
         f"--batches={','.join(map(str, size.commits))}", f"--rounds={size.commit_rounds}",
         f"--slice-seconds={size.commit_slice}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    progress("")
    rows = []
    for line in done.stdout.splitlines():
        store, fields = line.split(" ", 1)
        f = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", fields)}
        floor = {"sqlite": "sqlite3", "postgres": "libpq pipeline"}[store]
        rate = row(f"{store}, {f['batch']:.0f} a commit", f["store_per_second"], "events/s", floor,
                   f["bare_per_second"], WANTED)
        rate[3] = f"{f['ratio']:.2f}"  # of slices side by side, not of the medians
        rows += [rate, row(f"{store}, {f['batch']:.0f} a commit", f["store_cpu_us"], "CPU µs each",
                           floor, f["bare_cpu_us"])]
    show_rows("Commits: durable events into the store", rows,
              ["Floor: the same rows by the same statements, nothing read, decided or serialized; "
               "every commit synced.",
               f"Ratio: median of {size.commit_rounds} pairs of slices that take turns."])
