"""The tables in the shells' completions: what can be typed, taken from the program.

The scripts, in completions/, are written by hand but for the part between two marks.
Nothing of this is used when the tool runs.
"""

import argparse
import re
from collections.abc import Iterable, Iterator

from zfs_root_migrate.checks import CHECKS
from zfs_root_migrate.config import SETTINGS, Setting
from zfs_root_migrate.finding import KINDS
from zfs_root_migrate.manual import subparsers

# the register of findings is filled when the checks are loaded
assert CHECKS
# what stands for a value in the command line's help, and what that is
PLACEHOLDERS = {
    "DIR": "directory",
    "FILE": "file",
    "KEY": "key",
    "NAME": "setting",
    "NAME=VALUE": "wish",
    # has to be read off the disk, by whoever is going to lose what is on it
    "SERIAL": "none",
    "VERB": "verb",
}
# of settings; their other placeholders stand for what only the user knows
_VALUES = {"target": "disk", "exclude": "directory"}
_ZSH = {
    "directory": "_files -/",
    "disk": "_zfs-root-migrate-disks",
    "file": "_files",
    "key": "_zfs-root-migrate-keys",
    "none": " ",
    "setting": "_zfs-root-migrate-settings",
    "verb": "_zfs-root-migrate-verbs",
    "wish": "_zfs-root-migrate-wish",
}
Actions = list[argparse.Action]


def filled(script: str, tables: str) -> str:
    """Return a script with its part between the marks made anew.

    >>> filled("a\\n# --- made: go\\nold\\n# --- end\\nb\\n", "new\\n")
    'a\\n# --- made: go\\nnew\\n# --- end\\nb\\n'
    """
    begin, end = "# --- made", "# --- end"
    pattern = rf"(?ms)^({begin}[^\n]*\n).*?^({end})"
    text, number = re.subn(pattern, lambda m: m[1] + tables + m[2], script)
    if number != 1:
        raise ValueError(f"wanted once: a line {begin!r} and a later one {end!r}")
    return text


def _actions(parser: argparse.ArgumentParser) -> Actions:
    return [a for a in parser._actions if a.dest != "verb"]


def _kind(action: argparse.Action) -> str:
    """Return what the value of an option or argument is."""
    return PLACEHOLDERS[str(action.metavar or action.dest.upper())]


def _offered(setting: Setting) -> tuple[str, ...]:
    """Return the words that a setting can be given; none where it is no choice."""
    words = setting.values.removesuffix("...").split(" | ")
    return tuple(word for word in words if not word.isupper())


# bash


def bash(parser: argparse.ArgumentParser) -> str:
    """Return the tables for bash: names of things, lists of words, :KIND of a thing."""
    verbs = subparsers(parser)
    options = {"none": _options(_actions(parser))}
    takes: dict[str, str] = {}
    arguments: dict[str, str] = {}
    for name, verb in verbs.items():
        options[name] = _options(_actions(verb))
        for action in _actions(verb):
            if action.option_strings and action.nargs != 0:
                takes |= dict.fromkeys(action.option_strings, _for_bash(action))
            elif not action.option_strings and name not in arguments:
                arguments[name] = _for_bash(action)
    return "".join(
        (
            "_zfs_root_migrate_tables() {\n",
            *_words("verbs", verbs),
            *_words("settings", (one.name for one in SETTINGS)),
            *_words("many", (one.name for one in SETTINGS if one.many)),
            *_words("keys", sorted(KINDS)),
            *_table("options", options),
            *_table("takes", takes),
            *_table("arguments", arguments),
            *_table("values", {one.name: _values(one) for one in SETTINGS}),
            "}\n",
        )
    )


def _options(actions: Actions) -> str:
    return " ".join(name for action in actions for name in action.option_strings)


def _for_bash(action: argparse.Action) -> str:
    if action.choices:
        return " ".join(map(str, action.choices))
    return f":{_kind(action)}"


def _values(setting: Setting) -> str:
    if setting.name in _VALUES:
        return f":{_VALUES[setting.name]}"
    return " ".join(_offered(setting)) or ":none"


def _words(name: str, words: Iterable[str]) -> Iterator[str]:
    yield f"\t{name}='{' '.join(words)}'\n"


def _table(name: str, rows: dict[str, str]) -> Iterator[str]:
    yield f"\t{name}=(\n"
    for key, value in rows.items():
        yield f"\t\t[{key}]='{value}'\n"
    yield "\t)\n"


# zsh


def zsh(parser: argparse.ArgumentParser) -> str:
    """Return the tables for zsh, as functions that call its own ones."""
    verbs = subparsers(parser)
    lines = [
        *_described("verb", {name: verb.description for name, verb in verbs.items()}),
        *_described("setting", {one.name: one.help for one in SETTINGS}),
        *_described("key", {key: KINDS[key].title for key in sorted(KINDS)}),
        "_zfs-root-migrate-value() {",
        "\tcase $1 in",
        *(f"\t\t{one.name}) {_value_for_zsh(one)} ;;" for one in SETTINGS),
        "\tesac",
        "}",
        "_zfs-root-migrate-specs() {",
        "\tcase $1 in",
        *_specs_of("''", _specs(parser, alone=True)),
    ]
    for name, verb in verbs.items():
        lines += _specs_of(name, _specs(verb))
    return "\n".join((*lines, "\tesac", "}", ""))


def _specs_of(verb: str, specs: Iterable[str]) -> Iterator[str]:
    yield f"\t\t{verb}) specs=("
    yield from (f"\t\t\t{spec}" for spec in specs)
    yield "\t\t) ;;"


def _described(what: str, rows: dict[str, str | None]) -> Iterator[str]:
    yield f"_zfs-root-migrate-{what}s() {{"
    yield f"\tlocal -a {what}s=("
    for name, text in rows.items():
        yield f"\t\t{_quote(f'{name}:{text}')}"
    yield "\t)"
    yield f'\t_describe -t {what}s {what} {what}s "$@"'
    yield "}"


def _value_for_zsh(setting: Setting) -> str:
    if setting.name in _VALUES:
        return _ZSH[_VALUES[setting.name]]
    words = _offered(setting)
    if not words:
        return f"_message {_quote(setting.values)}"
    return f"_wanted values expl value compadd - {' '.join(words)}"


def _specs(parser: argparse.ArgumentParser, *, alone: bool = False) -> Iterator[str]:
    """Yield the words that describe options and arguments to zsh's _arguments.

    `alone`: each option stands in place of all else.
    """
    rivals = [group._group_actions for group in parser._mutually_exclusive_groups]
    for action in _actions(parser):
        names = action.option_strings
        if not names:
            yield _quote(_argument(action))
            continue
        others = [a for group in rivals if action in group for a in group]
        not_with = {
            name for other in (*others, action) for name in other.option_strings
        }
        repeated = isinstance(action, argparse._AppendAction)
        before = "*" if repeated else f"({' '.join(sorted(not_with))})"
        if alone and action.dest in ("help", "version"):
            before = "(- *)"
        text = f"[{_bracketed(action.help or '')}]"
        text += "" if action.nargs == 0 else _value(action)
        yield from (_quote(f"{before}{name}{text}") for name in names)


def _argument(action: argparse.Action) -> str:
    if action.nargs == "*":
        return "*: :->value"
    return f"1{_value(action)}"


def _value(action: argparse.Action) -> str:
    maybe = "::" if action.nargs == "?" else ":"
    if action.choices:
        return f"{maybe}{action.dest}:({' '.join(map(str, action.choices))})"
    return f"{maybe}{str(action.metavar or action.dest).lower()}:{_ZSH[_kind(action)]}"


def _bracketed(text: str) -> str:
    r"""Return a text that may stand between brackets.

    >>> _bracketed("a [b]")
    'a \\[b\\]'
    """
    return re.sub(r"([\[\]\\])", r"\\\1", text)


def _quote(text: str) -> str:
    return "'" + text.replace("'", r"'\''") + "'"
