"""Names out of files on a terminal, which would obey what they hold."""


def printable(text):
    """The same text with all that is no visible character as Python writes it: a name of a red A as `\\x1b[31mA`.

    A line's end becomes visible, too: what comes behind it would pass for another line.
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
