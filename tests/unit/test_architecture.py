"""Who imports whom: the rules of the architecture, read from the source."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zfs_root_migrate
from tests.unit.fakes.machines import MACHINES

TOP = Path(zfs_root_migrate.__file__).parent
CHECKOUT = Path(__file__).parents[2]
PACKAGE = "zfs_root_migrate"


def module_name(path):
    """Return the dotted name of a source file."""
    parts = [PACKAGE, *path.relative_to(TOP).with_suffix("").parts]
    return ".".join(parts).removesuffix(".__init__")


SOURCES = {module_name(path): path for path in sorted(TOP.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}
# what touches the world: programs, files, the terminal
RIM = {
    f"{PACKAGE}.{name}"
    for name in (
        *("runner", "world", "copier", "comparison", "journal", "state", "output"),
        *("terminal",),
        *("reader", "scripts", "verbs", "workflow", "cli", "__main__"),
        *("scan", "walker", "syscalls", "portage_config", "fixing"),
        *("reader_root", "sessions", "rsync", "environment_workflow", "asking"),
        *("looking_verbs", "migration_verbs", "environment_verbs"),
        *("rounds", "windows", "arming", "shutdown"),
        *("started", "workbench", "comparison_files", "comparison_walk"),
    )
}
# what Python has no function for is called in C here
CALLERS = {f"{PACKAGE}.{name}" for name in ("runner", "syscalls")}
# a program of its own, started under the system's Python
APART = {name for name in SOURCES if name.startswith(f"{PACKAGE}.portage_query")}
RIM |= APART
# makes files; its values are its own
RIM |= {name for name in SOURCES if name.startswith(f"{PACKAGE}.copy")}
# may be imported by pure code from the rim: a command is a value
ALLOWED = {
    (f"{PACKAGE}.render", f"{PACKAGE}.copier"),
    # journal and state have values besides their files
    (f"{PACKAGE}.status", f"{PACKAGE}.journal"),
    (f"{PACKAGE}.status", f"{PACKAGE}.state"),
    # the executor is given its journal and tells it what happens
    (f"{PACKAGE}.executor", f"{PACKAGE}.journal"),
    # facts are read through the reader, and only through it
    *(
        (name, f"{PACKAGE}.reader")
        for name in SOURCES
        if name.startswith(f"{PACKAGE}.facts")
    ),
}
PURE = set(SOURCES) - RIM
OUTER = ("subprocess", "os", "shutil", "tempfile", "ctypes", "socket", "signal")
# those of the standard library that pure code may need for values
WRITERS = ("write_text", "write_bytes", "open", "unlink", "mkdir", "rename", "rmdir")


def imports(name, *, everywhere=True):
    """Yield the modules that a module imports, those inside functions included."""
    package = name if SOURCES[name].name == "__init__.py" else name.rpartition(".")[0]
    skipped = set() if everywhere else _late(TREES[name])
    for node in ast.walk(TREES[name]):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: relative import in {package}"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in SOURCES else str(node.module)


def _late(tree):
    """Return the nodes that do not run when the module is imported."""
    late = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if checking or isinstance(node, ast.FunctionDef):
            late |= set(ast.walk(node))
    return late


@pytest.mark.parametrize("name", sorted(set(SOURCES) - APART))
def test_only_the_runner_starts_programs(name):
    """One choke point for processes."""
    wanted = {"subprocess", "multiprocessing", "pty"} & set(imports(name))
    assert not wanted or name == f"{PACKAGE}.runner"
    assert "ctypes" not in imports(name) or name in CALLERS
    calls = {
        node.attr
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }
    starters = ("exec", "spawn", "posix_spawn", "system", "popen", "fork")
    # the copier's workers are forked there, so that they die with it
    allowed = {"fork"} if name == f"{PACKAGE}.runner" else set()
    assert not [c for c in calls - allowed if c.startswith(starters)]


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_touch_nothing(name):
    """Values in, values out: no programs, no files, no rim."""
    found = set(imports(name))
    assert not found & set(OUTER)
    rim = {other for other in found & RIM if (name, other) not in ALLOWED}
    assert not rim
    for node in ast.walk(TREES[name]):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval")
        if isinstance(node.func, ast.Attribute):
            assert node.func.attr not in WRITERS


@pytest.mark.parametrize("name", [n for n in SOURCES if ".checks" in n])
def test_checks_never_read_the_system(name):
    """They judge facts."""
    assert f"{PACKAGE}.reader" not in set(imports(name))
    assert not any(i.startswith(f"{PACKAGE}.facts") for i in imports(name))


@pytest.mark.parametrize("name", [n for n in SOURCES if ".steps" in n])
def test_steps_know_no_executor(name):
    """A step is a value; who acts on it is none of its business."""
    found = set(imports(name))
    outside = ("executor", "world", "workflow", "plan", "migration_verbs", "cli")
    for outer in (*outside, "output", "terminal"):
        assert f"{PACKAGE}.{outer}" not in found


def test_only_the_executor_and_the_world_act():
    """Nobody else has the world in hand; the workbench puts them together."""
    users = {n for n in SOURCES if f"{PACKAGE}.world" in set(imports(n))}
    late = {n for n in users if f"{PACKAGE}.world" in set(imports(n, everywhere=False))}
    assert late == {f"{PACKAGE}.workbench"}


def test_the_program_apart_stands_alone():
    """The system's Python may be an older one, which knows nothing of this package."""
    for name in APART:
        found = set(imports(name, everywhere=False))
        assert not {i for i in found if i.startswith(PACKAGE)} - APART
        known = {*sys.stdlib_module_names, *(n.rpartition(".")[2] for n in APART)}
        assert {i.partition(".")[0] for i in found - APART} <= known
    users = {n for n in SOURCES if set(imports(n)) & APART}
    assert users <= APART


@pytest.mark.parametrize("name", sorted(APART))
def test_the_program_apart_is_old_python(name):
    """Portage runs under Python 3.9 and later."""
    ast.parse(SOURCES[name].read_text(), feature_version=(3, 9))
    assert "from __future__ import annotations\n" in SOURCES[name].read_text() or (
        SOURCES[name].name == "__init__.py"
    )


def test_every_package_is_installed():
    """What setuptools is told is what there is.

    Under Portage the package is tested as it was built, away from its pyproject.toml:
    there this shows that the wheel has all of it.
    """
    settings = tomllib.loads((CHECKOUT / "python/pyproject.toml").read_text())
    packages = {n for n, path in SOURCES.items() if path.name == "__init__.py"}
    assert set(settings["tool"]["setuptools"]["packages"]) == packages


def test_no_cycles():
    """Modules can be read in an order in which each uses only those before."""
    edges = {
        name: {i for i in imports(name, everywhere=False) if i in SOURCES and i != name}
        for name in SOURCES
    }
    done = set()
    while len(done) < len(edges):
        ready = {n for n, needed in edges.items() if n not in done and needed <= done}
        assert ready, f"a cycle among {sorted(set(edges) - done)}"
        done |= ready


@pytest.mark.parametrize("name", SOURCES)
def test_modules_are_short(name):
    """About 300 lines; a longer one has two subjects."""
    assert len(SOURCES[name].read_text().splitlines()) <= 332


@pytest.mark.parametrize("name", SOURCES)
def test_nobody_prints(name):
    """Results and remarks go through the terminal, and nothing exits from within."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            assert text not in ("print", "exit", "quit", "breakpoint")
            if text == "sys.exit":
                assert name.endswith(".__main__")


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_modules_keep_no_state(name):
    """No global statement, no mutable name in lower case at the top of a module."""
    for node in ast.walk(TREES[name]):
        assert not isinstance(node, ast.Global)
    for node in TREES[name].body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Name):
                assert target.id.strip("_").isupper() or _is_type(target.id), target.id


def _is_type(name):
    """Aliases of types are in CamelCase, dunder names are the module's own."""
    return name[0].isupper() or name.startswith("__")


@pytest.mark.parametrize("name", SOURCES)
def test_no_flag_for_a_dry_run(name):
    """`--pretend` prints the plan; nothing asks on the way whether it is in earnest."""
    names = {n.id for n in ast.walk(TREES[name]) if isinstance(n, ast.Name)}
    names |= {n.arg for n in ast.walk(TREES[name]) if isinstance(n, ast.arg)}
    assert not names & {"dry_run", "pretend", "simulate"}


@pytest.mark.parametrize("name", SOURCES)
def test_no_network(name):
    """Nothing here talks to other machines."""
    banned = ("socket", "urllib", "http", "ssl", "ftplib", "smtplib")
    assert not {i.partition(".")[0] for i in imports(name)} & set(banned)


def loaded_by(*words):
    """Return what is loaded by a command that has something to say."""
    script = (
        "import sys\n"
        f"sys.path.insert(0, {str(TOP.parent)!r})\n"
        "from zfs_root_migrate.cli import main\n"
        f"status = main({words!r})\n"
        "sys.stderr.write('\\n'.join(sys.modules))\n"
        "sys.exit(status)\n"
    )
    argv = [sys.executable, "-I", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.programs
@pytest.mark.parametrize("words", [["version"], ["--version"], ["help"], []])
def test_help_and_version_start_at_once(words):
    """They load neither what reads machines nor what changes them."""
    loaded = loaded_by(*words)
    ours = {name for name in loaded if name.startswith(PACKAGE)}
    light = ("cli", "errors", "verbs")
    assert ours <= {PACKAGE, *(f"{PACKAGE}.{name}" for name in light)}
    heavy = {"portage", "subprocess", "ctypes", "json", "tomllib", "hashlib"}
    assert not loaded & heavy


@pytest.mark.programs
@pytest.mark.parametrize("verb", ["check", "list", "show"])
def test_what_only_looks_cannot_change_anything(verb):
    """Neither steps nor what carries them out is there; and it starts sooner."""
    facts = MACHINES / "guest-openrc-bios/facts.json"
    target = "target=/dev/disk/by-id/virtio-NEWDISK"
    loaded = loaded_by(verb, "--facts", str(facts), "--set", target)
    assert f"{PACKAGE}.checks" in loaded
    acting = ("step", "plan", "executor", "world", "workflow", "fixing", "copy")
    assert not loaded & {f"{PACKAGE}.{name}" for name in acting}
