"""Names of files as people and shells can read them, whatever bytes they have."""

import re
import shlex


def show_name(text: str) -> str:
    r"""Return a name so that it can be shown: what does not print is escaped.

    >>> show_name("/a b"), show_name("/a\n")
    ('/a b', "'/a\\n'")
    """
    return text if text and text.isprintable() else ascii(text)


def one_line(text: str) -> str:
    r"""Return a text that a terminal shows and does not obey; what it says stays.

    What machines and files call themselves is not always meant to be read: a name may
    hold escape sequences, or a line's end with something to type behind it.

    >>> one_line("disk \x1b[2J\nrm")
    'disk \\x1b[2J\\nrm'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def more(number: int) -> str:
    """Return the end of a list that was cut.

    >>> more(2), more(0)
    (' and 2 more', '')
    """
    return f" and {number} more" if number > 0 else ""


def quote(path: str) -> str:
    r"""Return a path as a shell reads it, on one line, whatever bytes it is made of.

    >>> quote("/a b"), quote("/a\n")
    ("'/a b'", "$'/a\\x0a'")
    """
    if path.isprintable():
        return shlex.quote(path)
    data = path.encode("utf-8", "surrogateescape").decode("latin-1")
    return "$'" + re.sub(r"[^ -&(-\[\]-~]", lambda m: rf"\x{ord(m[0]):02x}", data) + "'"
