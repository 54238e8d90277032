"""What is wrong with a file of weights."""


class Unreadable(Exception):  # noqa: N818
    """Why a file cannot be read; whoever knows builder and path makes a ValueError of it."""
