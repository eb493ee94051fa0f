"""The manual pages: hand-written text, with lists that the program itself knows.

A source, *.in in docs/man, is man(7): a line that begins with a dot is a macro and
stays as it is. Any other line is plain text, and `backquotes` make it bold. A line such
as @findings@ becomes the list of that name. So no page can name an option, a finding or
a setting that is not there. Nothing of this is used when the tool runs.
"""

import argparse
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator

from zfs_root_migrate import __version__
from zfs_root_migrate.checks import CHECKS
from zfs_root_migrate.config import (
    Config,
    Setting,
    find_setting,
    parse_size,
    show_value,
)
from zfs_root_migrate.finding import KINDS, Finding

PROGRAM = "zfs-root-migrate"
# the register of findings is filled when the checks are loaded
assert CHECKS
# "-" alone is a hyphen to troff, which cannot be typed or searched for
_SPECIAL = {"\\": r"\e", "-": r"\-", "^": r"\(ha", "~": r"\(ti"}
_TYPED = {**_SPECIAL, "'": r"\(aq", "`": r"\(ga"}
_INDENT = ".TP 4"
# of every verb; the pages name them once
_COMMON = ("help", "config")
Lines = Iterator[str]


def page(source: str, made_of: str, parser: argparse.ArgumentParser) -> str:
    """Return a manual page; `parser` is the command line that it describes."""
    lines = [f'.\\" Made by `make man` of {made_of} and of the program: edit those.']
    typed = False
    for line in source.splitlines():
        found = re.fullmatch(r"@([a-z]+)(?: ([a-z0-9-]+))?@", line)
        if found:
            lines += _LISTS[found[1]](parser, found[2] or "")
        elif line.startswith("."):
            typed = {".EX": True, ".EE": False}.get(line, typed)
            lines.append(line.replace("@version@", __version__))
        else:
            lines.append(_guarded(_literal(line) if typed else typeset(line)))
    return "\n".join(line for line in lines if not line.startswith('.\\"#')) + "\n"


def typeset(text: str) -> str:
    r"""Return a text for troff, what stands between backquotes in bold.

    >>> typeset("type `run -a`, don't wait")
    "type \\fBrun \\-a\\fR, don't wait"
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        raise ValueError(f"a backquote without its other one: {text}")
    return "".join(
        _bold(part) if number % 2 else _replaced(part, _SPECIAL)
        for number, part in enumerate(parts)
    )


def _literal(text: str) -> str:
    """Return a text that is shown as it is typed."""
    return _replaced(text, _TYPED)


def _bold(text: str) -> str:
    return rf"\fB{_literal(text)}\fR"


def _italic(text: str) -> str:
    return rf"\fI{_literal(text)}\fR"


def _replaced(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(character, character) for character in text)


def _guarded(line: str) -> str:
    """Keep a line of text from being taken for a macro."""
    return rf"\&{line}" if line[:1] in (".", "'") else line


def paragraph(text: str) -> Lines:
    r"""Yield the lines of a paragraph, each sentence on a line of its own.

    troff sets more space between sentences than between words, and knows the end of a
    sentence by the end of a line.

    >>> list(paragraph("One has it. Two\nhave not."))
    ['One has it.', 'Two have not.']
    """
    for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z`/])", " ".join(text.split())):
        lines = textwrap.wrap(
            typeset(sentence), 78, break_long_words=False, break_on_hyphens=False
        )
        yield from (_guarded(line) for line in lines)


# verbs and options


def subparsers(
    parser: argparse.ArgumentParser,
) -> dict[str, argparse.ArgumentParser]:
    """Return the verbs, in their order, and the parser of each."""
    (verbs,) = (a for a in parser._actions if a.dest == "verb")
    assert isinstance(verbs.choices, dict)
    return verbs.choices


def _synopsis(parser: argparse.ArgumentParser, _name: str) -> Lines:
    for name, verb in subparsers(parser).items():
        yield rf".SY {_literal(PROGRAM)}"
        yield _bold(name)
        yield from _usage(verb)
        yield ".YS"


def _usage(parser: argparse.ArgumentParser) -> Lines:
    """Yield the options of a verb, those that exclude one another in one pair."""
    rivals = [group._group_actions for group in parser._mutually_exclusive_groups]
    done: list[argparse.Action] = []
    for action in parser._actions:
        if action.dest in _COMMON or action in done:
            continue
        group = next((group for group in rivals if action in group), [action])
        done += group
        words = "\\~|\\~".join(_form(one, brief=True) for one in group)
        more = r"\~...\&" if isinstance(action, argparse._AppendAction) else ""
        yield f"[{words}]{more}" if _is_optional(action) else words


def _is_optional(action: argparse.Action) -> bool:
    return bool(action.option_strings) or action.nargs in ("?", "*")


def _form(action: argparse.Action, *, brief: bool = False) -> str:
    """Return an option or argument as it is typed."""
    if action.choices:
        value = "\\~|\\~".join(_bold(str(choice)) for choice in action.choices)
    else:
        value = _italic(str(action.metavar or action.dest.upper()))
    value += "\\~..." if action.nargs == "*" else ""
    if not action.option_strings:
        return value
    names = action.option_strings[:1] if brief else action.option_strings
    form = ", ".join(_bold(name) for name in names)
    return form if action.nargs == 0 else rf"{form}\~{value}"


def _verb(parser: argparse.ArgumentParser, name: str) -> Lines:
    """Yield the heading of a verb, what it does, and its options."""
    verb = subparsers(parser)[name]
    yield f".SS {name}"
    yield from paragraph(_sentence(verb.description or ""))
    for action in verb._actions:
        if action.dest not in _COMMON and action.help:
            yield from _option(action)


def _options(parser: argparse.ArgumentParser, which: str) -> Lines:
    """Yield the options that stand in place of a verb, or those of every verb."""
    if which == "alone":
        chosen = [a for a in parser._actions if a.dest not in (*_COMMON, "verb")]
    else:
        some = next(iter(subparsers(parser).values()))
        chosen = [action for action in some._actions if action.dest in _COMMON]
    for action in chosen:
        yield from _option(action)


def _option(action: argparse.Action) -> Lines:
    yield _INDENT
    yield _form(action)
    yield from paragraph(_sentence(action.help or ""))


def _sentence(text: str) -> str:
    """Return a text of the command line as a sentence.

    >>> _sentence("do not ask")
    'Do not ask.'
    """
    return text[:1].upper() + text[1:].removesuffix(".") + "."


# findings


def _findings(_parser: argparse.ArgumentParser, _name: str) -> Lines:
    for key in sorted(KINDS):
        yield from _finding(KINDS[key])


def _finding(kind: type[Finding]) -> Lines:
    """Yield a finding: its first sentence is left out where the title says the same."""
    yield _INDENT
    yield f"{_bold(kind.key)} ({kind.severity}): {typeset(kind.title)}"
    summary, *others = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    same = summary.lower().rstrip(".") == kind.title.lower()
    first, *others = others or [""]
    yield from paragraph(first if same and first else f"{summary}\n{first}")
    for text in others:
        yield ".IP"
        yield from paragraph(text)


# settings


def _setting(_parser: argparse.ArgumentParser, name: str) -> Lines:
    """Yield a setting: what it is, its type, its values and its default."""
    setting = find_setting(name)
    yield _INDENT
    yield _bold(name)
    yield from paragraph(_sentence(setting.help))
    yield ".IP"
    yield f"Type: {_type(setting)}."
    yield f"Values: {_values(setting)}."
    yield f"Default: {_default(setting)}."


def _type(setting: Setting) -> str:
    if setting.many:
        return "array of strings; one string will do for an array of one"
    if setting.parse is parse_size:
        return "string, or an integer: that many bytes"
    if isinstance(getattr(Config(), setting.field), bool):
        return "string or boolean"
    return "string"


def _values(setting: Setting) -> str:
    r"""Return the values that a setting can have; a word in capitals is a placeholder.

    >>> _values(find_setting("boot-size"))
    '\\fISIZE\\fR, \\fB"auto"\\fR'
    """
    words = setting.values.removesuffix("...").split(" | ")
    made = ", ".join(_italic(w) if w.isupper() else _bold(f'"{w}"') for w in words)
    if isinstance(getattr(Config(), setting.field), bool):
        made += rf"; {_bold('true')}, {_bold('false')}"
    return made


def _default(setting: Setting) -> str:
    value = getattr(Config(), setting.field)
    if setting.many:
        return rf"{_bold('[]')} (none)"
    return _bold(f'"{show_value(value)}"')


_LISTS: dict[str, Callable[[argparse.ArgumentParser, str], Lines]] = {
    "synopsis": _synopsis,
    "verb": _verb,
    "options": _options,
    "findings": _findings,
    "setting": _setting,
}
