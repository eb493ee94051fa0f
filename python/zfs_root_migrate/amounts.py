"""Sizes and durations, written for people."""


def show_size(size: int) -> str:
    """Write a size for people.

    >>> show_size(512 << 20), show_size(3 << 39), show_size(700)
    ('512M', '1.5T', '700 bytes')
    """
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.1f}".removesuffix(".0") + unit
    return f"{size} bytes"


def duration(seconds: float) -> str:
    """Write a duration.

    >>> duration(75), duration(4)
    ('1 min 15 s', '4 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
