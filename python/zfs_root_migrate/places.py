"""Which paths lie in which, as text: nothing is looked up."""


def is_below(path: str, top: str) -> bool:
    """Tell whether a path is truly inside a directory.

    >>> is_below("/home/larry", "/home"), is_below("/homes", "/home")
    (True, False)
    """
    return path != top and path.startswith(top.rstrip("/") + "/")


def relative(paths: list[str], top: str) -> tuple[str, ...]:
    """Return the paths inside top as seen from it, with a leading slash.

    >>> relative(["/boot/grub", "/etc"], "/boot")
    ('/grub',)
    """
    cut = 0 if top == "/" else len(top)
    inside = [path for path in dict.fromkeys(paths) if is_below(path, top)]
    return tuple(p[cut:] for p in inside if not any(is_below(p, q) for q in inside))
