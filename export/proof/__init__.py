"""Whether a file runs and gives the right numbers, and which layer is to blame if not."""
