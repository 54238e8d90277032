"""Faults set into the code by a tool, and whether the tests see them."""
