"""The page of what the tests see: `python -m benchmarks.mutants.page` writes it anew from the results."""

import json
from pathlib import Path

from benchmarks.mutants.groups import GROUPS

PAGE = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("results.json")


def write(results):
    """Writes the page.

    Args:
        results: by group a list of rows, as in `results.json`.
    """
    lines = [
        "# Faults that the tests see",
        "",
        "`make mutate` sets faults into the code, one at a time, with [cosmic-ray](https://cosmic-ray.readthedocs.io),",
        "and runs the tests that concern it. Of each module some are drawn at random, at most one a line, and of all",
        "these as many are tried as a group's time allows.",
        "",
        "| group | faults | seen | |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, rows in results.items():
        seen = sum(row["seen"] for row in rows)
        lines.append(f"| {name} | {len(rows)} | {seen} | {100 * seen / len(rows):.0f} % |")
    every = [row for rows in results.values() for row in rows]
    seen = sum(row["seen"] for row in every)
    left = [group.name for group in GROUPS if group.name not in results]
    lines += [
        f"| all | {len(every)} | {seen} | {100 * seen / max(1, len(every)):.0f} % |",
        "",
        f"Not run yet: {'; '.join(left)}." if left else "All groups were run.",
        "",
        f"Not seen were {len(every) - seen}:",
        "",
        "| module | fault | reason |",
        "| --- | --- | --- |",
    ]
    for row in every:
        if not row["seen"]:
            fault = " &rarr; ".join(f"`{row[side]}`".replace("|", "\\|") for side in ("before", "after"))
            lines.append(f"| {row['module']}:{row['line']} | {fault} | {row.get('reason') or 'not tested'} |")
    PAGE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text()))
