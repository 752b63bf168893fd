#!/usr/bin/env python3
"""Ours beside its peers: the same workloads, one after the other, in one run on one machine.

    tests/benches/peers.py [--peers DIR] [--only ours,restate,dbos] [--parked N] [--seconds S]

Ours is `cargo bench --bench wire`; the peers' scripts (20_restate.py, 21_dbos.py: each installs its peer, starts it on
loopback, drives it and stops it) are looked for in DIR, default ../shared/bench. Prints one table; the lines of JSON it is
made from go to target/peers.jsonl. What is missing is said, not guessed.
"""
import argparse, json, os, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"placet": "Placet", "restate": "Restate", "dbos_sqlite": "DBOS + SQLite", "dbos_postgres": "DBOS + PostgreSQL"}


def run(command, **kw):
    """Every line of JSON that a command prints; its other words go to stderr."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **kw)
    found = []
    for line in process.stdout:
        if line.startswith("{"):
            found.append(json.loads(line))
            print(line, end="", flush=True)
        else:
            print(line, end="", file=sys.stderr)
    if process.wait() != 0:
        print(f"{command[0]} {command[-1]} ended with {process.returncode}", file=sys.stderr)
    return found


def who(line):
    peer = line["bench"].split("_")[0]
    return f"dbos_{line['db']}" if peer == "dbos" else peer


def first(line, *names):
    return next((line[name] for name in names if line.get(name) is not None), None)


def put(table, row, line, *names):
    value = first(line, *names)
    if value is not None:
        table.setdefault(row, {})[who(line)] = value


def tabulate(lines):
    """row -> engine -> figure"""
    table = {}
    for line in lines:
        bench, conc = line["bench"], line.get("conc")
        what = line.get("what", "")
        if bench.endswith("_w1"):
            put(table, f"W1 runs/s, {conc} callers", line, "workflows_s")
            put(table, f"W1 p99 ms, {conc} callers", line, "p99_ms")
        elif bench.endswith("_w1_nats"):
            put(table, f"W1 runs/s, {conc} callers, events to NATS", line, "workflows_s")
        elif "w2_park" in bench or what == "park":
            put(table, "W2 seconds to park all", line, "all_suspended_s", "accept_s")
            put(table, "W2 bytes of memory per parked run", line, "rss_per_run_b")
            put(table, "W2 bytes of disk per parked run", line, "disk_per_run_b")
        elif "one_by_one" in bench:
            put(table, "W2 resume p50 ms, one by one", line, "p50_ms")
        elif "resume_nats" in bench:
            put(table, "W2 resumed/s, 64 callers over NATS", line, "per_s")
        elif "w2_resume" in bench or what == "resume":
            put(table, "W2 resumed/s, 64 callers", line, "resumes_s", "per_s")
        elif "_w3" in bench:
            put(table, "W3 seconds to the first resumed", line, "first_resumed_s")
    return table


def show(table):
    engines = [name for name in NAMES if any(name in row for row in table.values())]
    print(f"{'':40}" + "".join(f"{NAMES[name]:>20}" for name in engines))
    for row, figures in table.items():
        cells = (figures.get(name) for name in engines)
        print(f"{row:40}" + "".join(f"{'-' if cell is None else cell:>20}" for cell in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=pathlib.Path, default=ROOT / "../shared/bench")
    parser.add_argument("--only", default="ours,restate,dbos")
    parser.add_argument("--parked", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=8)
    given = parser.parse_args()
    wanted, lines = given.only.split(","), []
    env = dict(os.environ, PARK=str(given.parked))
    if "ours" in wanted:
        # as the peers' scripts do: bench and engine run ahead of other work where they may
        nice = ["nice", "-n", "-15"] if os.geteuid() == 0 else []
        bench = ["cargo", "bench", "--locked", "--bench", "wire", "--", str(given.seconds), "--parked", str(given.parked), "--json"]
        lines += run(nice + bench, cwd=ROOT, env=env)
    for name, script in (("restate", "20_restate.py"), ("dbos", "21_dbos.py")):
        path = given.peers / script
        if name not in wanted:
            continue
        if path.exists():
            lines += run([sys.executable, str(path)], env=env)
        else:
            print(f"skipped: {name} ({path} is not there; --peers DIR names the folder of the scripts)", file=sys.stderr)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    target.mkdir(exist_ok=True)
    (target / "peers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    show(tabulate(lines))


main()
