"""Boot environments for people, for scripts and for programs. Pure functions."""

import time
from typing import Any

from zfs_root_migrate import codec
from zfs_root_migrate.amounts import show_size
from zfs_root_migrate.environments import Environment, Environments

SHARED = (
    "/var/db/pkg, Portage's database of installed packages, is on {}, which all boot "
    "environments share: what is installed or removed in one of them makes it wrong "
    "for the others"
)


def environments_text(now: Environments, *, colour: bool) -> str:
    """Write the environments as a numbered list, the default one starred."""
    on, off = ("\033[1;34m", "\033[0m") if colour else ("", "")
    lines = [f"Boot environments of {now.pool}:"]
    for number, environment in enumerate(now.found, 1):
        star = f" {on}*{off}" if environment.dataset == now.bootfs else ""
        words = [environment.dataset, *_marks(now, environment)]
        words.append(f"{show_size(environment.used)} of its own")
        words.append(f"made {_date(environment.creation)}")
        text = ", ".join(words)
        lines.append(f"  [{number}]   {environment.name}{star}  ({text})")
        obstacle = now.obstacle(environment)
        if obstacle:
            lines.append(f"        would not boot: {obstacle}")
    return "\n".join([*lines, *_remarks(now)])


def _marks(now: Environments, environment: Environment) -> list[str]:
    marks = (
        ("running", environment.dataset == now.running),
        (
            "default",
            environment.dataset == now.bootfs,
        ),
    )
    return [word for word, holds in marks if holds]


def _date(creation: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(creation))


def _remarks(now: Environments) -> list[str]:
    remarks = []
    if any(now.obstacle(e) is None for e in now.found):
        remarks.append("Only root can see whether they would boot.")
    if now.has_menu and now.menu != now.bootfs:
        remarks.append(
            f"The boot menu starts {now.menu or 'something else'}, and the default is "
            f"{now.bootfs or 'not set'}: `zfs-root-migrate environments activate NAME` "
            "makes them one."
        )
    return remarks


def shared_remark(now: Environments) -> str:
    """Warn where the package database does not go with its root; else nothing."""
    apart = now.packages not in (None, now.running)
    return SHARED.format(now.packages) if apart else ""


def _word(obstacle: str | None) -> str:
    return "unknown" if obstacle is None else "no" if obstacle else "yes"


def porcelain(now: Environments) -> str:
    """Write one line for each environment and for each kernel that one can start with.

    The first word tells the kind of the line; fields are separated by tabs, and one
    that has nothing in it is `-`.
    """
    rows: list[tuple[str, ...]] = [
        (
            *("environment", e.name, e.dataset),
            "running" if e.dataset == now.running else "-",
            "default" if e.dataset == now.bootfs else "-",
            *(str(e.used), str(e.creation), _word(now.obstacle(e))),
            now.obstacle(e) or "-",
        )
        for e in now.found
    ]
    rows += [
        ("kernel", e.name, e.dataset, image.release, image.path, str(image.initramfs))
        for e in now.found
        if now.obstacle(e) == ""
        for image in now.kernels(e)
    ]
    return "".join("\t".join(row) + "\n" for row in rows)


def environments_data(now: Environments) -> dict[str, Any]:
    """Return the JSON form."""
    return {
        "pool": now.pool,
        "bootfs": now.bootfs,
        "menu": now.menu,
        "environments": [
            {
                "name": e.name,
                "dataset": e.dataset,
                "running": e.dataset == now.running,
                "default": e.dataset == now.bootfs,
                "used": e.used,
                "creation": e.creation,
                "origin": e.origin,
                "boots": {"yes": True, "no": False}.get(_word(now.obstacle(e))),
                "obstacle": now.obstacle(e) or None,
                "kernels": codec.encode(now.kernels(e)),
            }
            for e in now.found
        ],
    }
