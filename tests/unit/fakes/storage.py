"""mdadm, zpool, zfs and zdb of the machine in memory."""

from typing import TYPE_CHECKING

from zfs_root_migrate.paths import NEW

if TYPE_CHECKING:
    from tests.unit.fakes.machine import Machine, Result

OK = (0, "")
NO = (1, "")


def mdadm(machine: "Machine", verb: str, argv: tuple[str, ...]) -> "Result":
    """Create, assemble, stop, examine, add, show."""
    return _MDADM[verb](machine, argv)


def _create_array(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    members = [word for word in argv if word.startswith("/dev/disk")]
    uuid = next(w.partition("=")[2] for w in argv if w.startswith("--uuid="))
    if machine.array == "clean" or "raid1" not in machine.modules:
        return NO
    if any(machine._disk_of(m).path not in machine.tables for m in members):
        return NO
    for member in members:
        machine.content[member] = {"md": uuid}
    machine.array = "clean"
    return OK


def _assemble(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if machine.array != "none" or set(machine.members()) != set(argv[3:]):
        return NO
    machine.array = "clean"
    return OK


def _stop(machine: "Machine", _: tuple[str, ...]) -> "Result":
    if machine.array == "none" or ("boot", "") in machine.files.own.values():
        return NO
    machine.array = "none"
    return OK


def _examine(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    uuid = machine.content.get(argv[-1], {}).get("md", "")
    return (0, f"     Array UUID : {uuid}\n") if uuid else NO


def _zero_superblock(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if machine.array != "none":
        return NO
    machine.content[argv[-1]].pop("md", None)
    return OK


def _add(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    path = argv[-1]
    if machine.content.get(path) or machine.array != "clean":
        return NO
    machine.content[path] = dict(machine.content[machine.members()[0]])
    return OK


def _detail(machine: "Machine", _: tuple[str, ...]) -> "Result":
    if machine.array == "none":
        return NO
    active = len(machine.members())
    return 0, f"             State : {machine.array}\n    Active Devices : {active}\n"


_MDADM = {
    "--create": _create_array,
    "--assemble": _assemble,
    "--stop": _stop,
    "--examine": _examine,
    "--zero-superblock": _zero_superblock,
    "--add": _add,
    "--detail": _detail,
}


def zpool(machine: "Machine", verb: str, argv: tuple[str, ...]) -> "Result":
    """Everything that the plans ask of zpool."""
    return _ZPOOL[verb](machine, argv) if "zfs" in machine.modules else NO


def _create(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    at = argv.index(machine.layout.pool)
    vdevs = [word for word in argv[at:] if word.startswith("/dev/")]
    if machine.imported or any(machine.content.get(v) for v in vdevs):
        return NO
    if any(machine._disk_of(v).path not in machine.tables for v in vdevs):
        return NO
    for vdev in vdevs:
        machine.content[vdev] = {"zfs": machine.layout.pool}
    hostid = machine.files.read("/etc/hostid") or "0"
    machine.pool = {"state": "0", "hostid": str(int(hostid, 16)), "bootfs": "-"}
    machine.pool["txg"] = "4"
    machine.datasets = {machine.layout.pool: {"mountpoint": "/", "canmount": "off"}}
    machine.files.trees[machine.layout.pool] = {}
    machine.vdevs = vdevs
    machine.imported, machine.altroot = True, NEW
    _write_cache(machine, argv)
    return OK


def _write_cache(machine: "Machine", argv: tuple[str, ...]) -> None:
    path = next(w for w in argv if w.startswith("cachefile=")).partition("=")[2]
    machine.files.write(path, "\n".join(f"path: '{v}'" for v in machine.vdevs))


def _import(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if machine.imported or not machine.pool:
        return NO
    searched = {argv[n + 1] for n, word in enumerate(argv) if word == "-d"}
    if not set(machine.vdevs) <= searched:
        return NO
    machine.imported, machine.altroot = True, argv[argv.index("-R") + 1]
    machine.pool["state"] = "0"
    machine.pool["txg"] = str(int(machine.pool["txg"]) + 5)
    _write_cache(machine, argv)
    return OK


def _export(machine: "Machine", _: tuple[str, ...]) -> "Result":
    held = {name for name, _ in machine.files.own.values()} & set(machine.datasets)
    if held or not machine.imported:
        return NO
    machine.pool["state"] = "1"
    machine.imported, machine.altroot = False, "-"
    return OK


def _destroy(machine: "Machine", _: tuple[str, ...]) -> "Result":
    if not machine.imported:
        return NO
    machine.imported, machine.altroot = False, "-"
    machine.pool["state"] = "2"
    return OK


def _labelclear(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if machine.imported or "zfs" not in machine.content.get(argv[-1], {}):
        return NO
    machine.content[argv[-1]] = {}
    machine._lose_pool()
    return OK


def _list(machine: "Machine", _: tuple[str, ...]) -> "Result":
    return (0, machine.layout.pool + "\n") if machine.imported else NO


def _status(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if not machine.imported:
        return NO
    lines = [" state: ONLINE", "  scan: none requested"]
    if len(machine.vdevs) > len(machine.layout.vdevs):
        lines = [
            " state: ONLINE",
            "  scan: resilvered 1.2G in 00:00:09 with 0 errors on Sun Nov 22 2026",
            "\t  mirror-0  ONLINE       0     0     0",
        ]
    lines += [f"\t    {v}  ONLINE       0     0     0" for v in machine.vdevs]
    return 0, "\n".join([*lines, "errors: No known data errors\n"])


def _pool_get(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    if not machine.imported:
        return NO
    values = {"altroot": machine.altroot, **machine.pool}
    return 0, values[argv[-2]] + "\n"


def _pool_set(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    name, _, value = argv[0].partition("=")
    if not machine.imported:
        return NO
    if name == "cachefile":
        _write_cache(machine, argv)
    else:
        machine.pool[name] = value
    return OK


def _attach(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    there = argv[-1]
    if machine.content.get(there) or there in machine.vdevs:
        return NO
    machine.content[there] = {"zfs": machine.layout.pool}
    machine.vdevs.append(there)
    cache = "/etc/zfs/zpool.cache"
    machine.files.write(cache, "\n".join(f"path: '{v}'" for v in machine.vdevs))
    return OK


_ZPOOL = {
    "create": _create,
    "import": _import,
    "export": _export,
    "destroy": _destroy,
    "labelclear": _labelclear,
    "list": _list,
    "status": _status,
    "get": _pool_get,
    "set": _pool_set,
    "attach": _attach,
}


def mountpoint(machine: "Machine", name: str) -> str:
    """Return the property mountpoint, inherited where it is not set."""
    own = machine.datasets[name].get("mountpoint")
    if own is None:
        parent, _, last = name.rpartition("/")
        above = mountpoint(machine, parent)
        return above if above == "legacy" else f"{above.rstrip('/')}/{last}"
    return own


def zfs(  # noqa: C901 - one case for each
    machine: "Machine", verb: str, argv: tuple[str, ...]
) -> "Result":
    """Make, list, mount and set datasets."""
    name = argv[-1]
    if not machine.imported:
        return NO
    if verb == "create":
        if name in machine.datasets:
            return OK if "-p" in argv else NO
        if name.rpartition("/")[0] not in machine.datasets:
            return NO
        options = [argv[n + 1] for n, word in enumerate(argv) if word == "-o"]
        machine.datasets[name] = dict(o.split("=", 1) for o in options)
        machine.files.trees[name] = {}
        return OK
    if "@" in name:
        return _snapshot(machine, verb, name)
    if name not in machine.datasets:
        return NO
    if verb == "inherit":
        machine.datasets[name].pop(argv[0], None)
        return OK
    if verb == "list":
        return 0, name + "\n"
    if verb == "destroy":
        if any(place[0] == name for place in machine.files.own.values()):
            return NO
        del machine.datasets[name], machine.files.trees[name]
        return OK
    if verb == "set":
        key, _, value = argv[0].partition("=")
        machine.datasets[name][key] = value
        return OK
    if verb == "get" and "-r" in argv:
        return 0, "".join(
            f"{dataset}\t{key}\t{_zfs_get(machine, key, dataset)}\n"
            for dataset in machine.datasets
            for key in argv[-2].split(",")
        )
    if verb == "get":
        return 0, _zfs_get(machine, argv[-2], name) + "\n"
    assert verb == "mount", verb
    place = _zfs_get(machine, "mountpoint", name)
    canmount = machine.datasets[name].get("canmount", "on")
    if place == "legacy" or canmount == "off" or place in machine.files.own:
        return NO
    machine.files.make_directory(place)
    machine.files.own[place] = (name, "")
    return OK


def _snapshot(machine: "Machine", verb: str, name: str) -> "Result":
    there = name in machine.snapshots
    if verb == "list":
        return OK if there else NO
    assert verb in ("snapshot", "destroy"), verb
    if there == (verb == "snapshot"):
        return NO
    machine.snapshots ^= {name}
    return OK


def _zfs_get(machine: "Machine", key: str, name: str) -> str:
    if key != "mountpoint":
        return machine.datasets[name].get(key, "on" if key == "canmount" else "-")
    place = mountpoint(machine, name)
    if place == "legacy" or machine.altroot == "-":
        return place
    return machine.altroot if place == "/" else machine.altroot + place


def zdb(machine: "Machine", argv: tuple[str, ...]) -> "Result":
    """Show a label or a cache file."""
    if argv[0] == "-C":
        text = machine.files.read(argv[2])
        return (0, text) if text else NO
    if "zfs" not in machine.content.get(argv[-1], {}):
        return NO
    state, hostid = machine.pool["state"], machine.pool["hostid"]
    txg = machine.pool["txg"]
    return 0, (
        f"    name: '{machine.layout.pool}'\n    state: {state}\n    txg: {txg}\n"
        f"    hostid: {hostid}\n            path: '{argv[-1]}'\n"
    )
