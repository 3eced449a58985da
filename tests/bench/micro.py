"""What Google Benchmark measures in one process: JSON."""
import json
import subprocess

from table import progress, show

JSON_WANTED = 4  # times RapidJSON with an empty handler


def benchmark(bed, program, size):
    """Median of each benchmark by name."""
    progress(program)
    out = bed.work / f"{program}.json"
    subprocess.run([str(bed.build / "tests/bench" / program), f"--benchmark_out={out}",
                    "--benchmark_out_format=json", f"--benchmark_min_time={size.min_time}",
                    f"--benchmark_repetitions={size.rounds}",
                    "--benchmark_enable_random_interleaving=true"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                   check=True)
    progress("")
    runs = json.loads(out.read_text())["benchmarks"]
    if size.rounds > 1:
        runs = [run for run in runs if run.get("aggregate_name") == "median"]
    return {run["run_name"]: run for run in runs}


def run_json(bed, size):
    taken = benchmark(bed, "json_bench", size)

    def ns(name):
        return taken[f"json/{name}"]["cpu_time"]

    rows = []
    for kind, label in (("read/device", "read a device"), ("read/session", "read a session"),
                        ("write/device", "write a device"), ("write/session", "write a session")):
        ours = ns(f"{kind}/ours")
        floor_name = f"{kind}/floor_" + ("sax" if kind.startswith("read") else "writer")
        has_floor = f"json/{floor_name}" in taken
        util = f"json/{kind}/json_util" in taken
        rows.append([label, ours, ns(floor_name) if has_floor else "",
                     f"{ours / ns(floor_name):.2f}" if has_floor else "",
                     ns(f"{kind}/json_util") if util else "",
                     f"{ns(f'{kind}/json_util') / ours:.1f}" if util else ""])
    show("JSON: CPU ns per message", ["", "ours", "RapidJSON", "ratio", "json_util",
                                      "times slower"], rows,
         ["RapidJSON: reading, SAX with an empty handler; writing, its writer with the same values.",
          f"Wanted: at most {JSON_WANTED} times."])
