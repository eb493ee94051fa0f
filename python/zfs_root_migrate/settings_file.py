"""Changes one setting in the text of the settings file, and nothing else."""

import re
import tomllib

from zfs_root_migrate.config import find_setting
from zfs_root_migrate.errors import UsageError

_STRING = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_LIST = rf"\[(?:{_STRING}|#[^\n]*|[^\]\"'#])*\]"
_VALUE = rf"(?:{_LIST}|{_STRING}|[^#\s]+)"


def change_settings(text: str, name: str, words: tuple[str, ...]) -> str:
    """Return the file's text with one setting changed and all else as it was.

    No words at all take the setting out of the file, back to its default.
    """
    quoted = [_quote(word) for word in words]
    many = find_setting(name).many
    line = f"{name} = [{', '.join(quoted)}]" if many else f"{name} = {''.join(quoted)}"
    found = re.search(rf"^[ \t]*{re.escape(name)}[ \t]*=[ \t]*{_VALUE}", text, re.M)
    if found and words:
        changed = text[: found.start()] + line + text[found.end() :]
    elif found:
        rest = text[found.end() :].lstrip(" \t")
        changed = text[: found.start()] + rest.removeprefix("\n")
    else:
        between = "\n" if text and not text.endswith("\n") else ""
        changed = text + (f"{between}{line}\n" if words else "")
    wanted = (list(words) if many else words[0]) if words else None
    if not _reads_as(changed, name, wanted):
        raise UsageError(
            f"cannot change {name} in the settings file",
            details="what would be written is not what would be read back",
            resolution=f"mend the file by hand; the line wanted is: {line}",
        )
    return changed


def _reads_as(text: str, name: str, wanted: object) -> bool:
    try:
        return tomllib.loads(text).get(name) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _quote(word: str) -> str:
    escaped = "".join(
        f"\\{c}" if c in '\\"' else c if c.isprintable() else f"\\U{ord(c):08X}"
        for c in word
    )
    return f'"{escaped}"'
