"""Rows of sweeps: in three commits each has its turn once."""

from collections import Counter

from tests.sweeps import SHARE, left_out, turn


def test_each_row_has_its_turn_once():
    rows = [f"row {i}" for i in range(10)] * 2
    tested = Counter(row for now in range(7, 7 + SHARE) for row in set(rows) - left_out(rows, now))
    assert tested == dict.fromkeys(rows, 1)
    assert left_out(["one"], 0) == set()
    assert left_out(rows, 1, share=1) == set()


def test_commits_are_counted_and_nothing_else_is_0(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert turn() == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert turn() == 0
