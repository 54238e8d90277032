"""The commands: each imports what is slow to import when it is called."""
