"""Benchmarks: ratios against what a user would take instead, side by side in one run."""
