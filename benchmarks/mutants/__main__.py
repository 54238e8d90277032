"""Sets faults into the code, one at a time, and runs the tests that concern it: `make mutate`.

cosmic-ray makes the faults: another comparison, another number, `and` for `or`, no loop. Of each module some are drawn
from a fixed seed, at most one a line. They are set into a copy of the checkout; each run is a child process forked from
one that has imported what is slow to import, but nothing of this library.

    make mutate                                   all groups
    .venv-mutate/bin/python -m benchmarks.mutants match cost    some of them
    .venv-mutate/bin/python -m benchmarks.mutants --again       those that were not seen, since tests came

Results go into `benchmarks/mutants/results.json`, and the table and the list of those not seen into
`benchmarks/mutants/README.md`. Reasons are written by hand, in the field `reason`, and stay while the fault does.
"""

import contextlib
import functools
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db

from benchmarks.mutants.groups import GROUPS, modules
from benchmarks.mutants.page import write

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).with_name("results.json")
SEED = 14
# What takes this long hangs, and is seen.
TIME_LIMIT = 600
# Seconds for each group by default; a module later in the alphabet is as likely to be reached as any.
BUDGET = 1800
# Of decorators most are for speed or for looks.
LEFT_OUT = ("core/RemoveDecorator", "core/NoOp")


def copied(root):
    """A copy of what git knows of the checkout."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, stdout=subprocess.PIPE, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)
    return folder


def every(path):
    """All the faults that a module may have, by line."""
    with tempfile.TemporaryDirectory() as folder, use_db(Path(folder) / "db", mode=WorkDB.Mode.create) as db:
        init([path], db, {})
        found = [item.mutations[0] for item in db.work_items]
    by_line = {}
    for fault in found:
        if not fault.operator_name.startswith(LEFT_OUT):
            by_line.setdefault(fault.start_pos[0], []).append(fault)
    return by_line


def drawn(path, count):
    """Some of the faults that a module may have, at most one a line."""
    by_line = every(path)
    chance = random.Random(f"{SEED} {path}")
    lines = sorted(by_line)
    chosen = sorted(chance.sample(lines, min(count, len(lines))))
    return [chance.choice(sorted(by_line[line], key=lambda f: (f.operator_name, f.occurrence))) for line in chosen]


def found_again(row):
    """A fault by the line before and after it, wherever that stands now; None if the code is another."""
    path = Path(row["module"])
    lines = path.read_text().splitlines()
    for number, faults in every(path).items():
        if lines[number - 1].strip() != row["before"]:
            continue
        for fault in faults:
            operator = get_operator(fault.operator_name)(**(fault.operator_args or {}))
            with use_mutation(path, operator, fault.occurrence) as (_, after):
                if after.splitlines()[number - 1].strip() == row["after"]:
                    return fault
    return None


def passes(tests):
    """Whether tests pass in a child process; a run that hangs does not."""
    if (child := os.fork()) == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        import pytest

        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--all-rows", *shlex.split(tests)])
        os._exit(int(code))
    until = time.monotonic() + TIME_LIMIT
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if code in (4, 5):
                raise RuntimeError(f"pytest {tests}: there are no such tests")
            return code == 0
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def tried(path, fault, group):
    """What became of a fault: its line before and after, and whether a test failed."""
    operator = get_operator(fault.operator_name)(**(fault.operator_args or {}))
    with use_mutation(path, operator, fault.occurrence) as (before, after):
        line = fault.start_pos[0]
        row = {
            "module": str(path),
            "line": line,
            "before": before.splitlines()[line - 1].strip(),
            "after": after.splitlines()[line - 1].strip(),
        }
        stages = [stage.format(name=path.stem) for stage in (group.quick, group.whole) if stage]
        failed = next((stage for stage in stages if not passes(stage)), None)
    if failed and not passes_without_a_fault(failed):
        raise RuntimeError(f"pytest {failed}: fails without a fault")
    return row | {"seen": bool(failed)}


@functools.cache
def passes_without_a_fault(tests):
    return passes(tests)


def prepare(folder):
    """Makes this process one whose children find the copy, and start quickly."""
    # What killed runs leave behind goes with the copy.
    (folder / "tmp").mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    os.chdir(folder)
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder), *(place for place in sys.path if Path(place).resolve() != ROOT)]
    import keras  # noqa: F401
    import tensorflow  # noqa: F401


def again(known):
    """Tries those that were not seen; a fault that the code has no more is gone."""
    for group in GROUPS:
        rows = []
        for row in known.get(group.name, ()):
            if row["seen"]:
                rows.append(row)
            elif (fault := found_again(row)) is not None:
                rows.append(row | tried(Path(row["module"]), fault, group))
                print(group.name, "seen" if rows[-1]["seen"] else "NOT SEEN", row["module"], row["after"], flush=True)
                if rows[-1]["seen"]:
                    rows[-1].pop("reason", None)
        if rows:
            known[group.name] = rows
            RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    write(known)


def main(chosen):
    if unknown := set(chosen) - {group.name for group in GROUPS}:
        sys.exit(f"no groups {sorted(unknown)}; there are {[group.name for group in GROUPS]}")
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    reasons = {
        (row["module"], row["before"], row["after"]): row["reason"]
        for rows in known.values()
        for row in rows
        if row.get("reason")
    }
    folder = copied(ROOT)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        prepare(folder)
        for group in GROUPS:
            if chosen and group.name not in chosen:
                continue
            faults = [(path, fault) for path in modules(group, folder) for fault in drawn(path, group.faults)]
            random.Random(SEED).shuffle(faults)
            rows, until = [], time.monotonic() + float(os.environ.get("BUDGET", BUDGET))
            for path, fault in faults:
                if time.monotonic() > until:
                    break
                row = tried(path, fault, group)
                if not row["seen"]:
                    row["reason"] = reasons.get((row["module"], row["before"], row["after"]), "")
                rows.append(row)
                print(
                    group.name,
                    "seen" if row["seen"] else "NOT SEEN",
                    row["module"],
                    row["line"],
                    row["after"],
                    flush=True,
                )
                known[group.name] = sorted(rows, key=lambda row: (row["module"], row["line"]))
                RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    write(known)


if __name__ == "__main__":
    if sys.argv[1:] == ["--again"]:
        copy = copied(ROOT)
        try:
            prepare(copy)
            again(json.loads(RESULTS.read_text()))
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    else:
        main(sys.argv[1:])
