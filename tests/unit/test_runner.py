"""Starting programs: environment, pipes, endings."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zfs_root_migrate import runner

pytestmark = pytest.mark.programs


@pytest.fixture
def in_time():
    """Fail a test that hangs."""

    def ring(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def stream(*argv, **more):
    """Return status and lines of a program."""
    lines = []
    status = runner.stream(argv, lambda text, bad: lines.append((text, bad)), **more)
    return status, lines


def is_gone(pid):
    """Tell whether a process ends within a few seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_environment_is_clean(monkeypatch):
    """Nothing of the user's environment reaches a program."""
    monkeypatch.setenv("GREP_OPTIONS", "-v")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/nowhere")
    seen = dict(
        line.split("=", 1) for line in runner.query(("env",)).stdout.splitlines()
    )
    assert seen == runner.ENVIRONMENT
    assert stream("env")[1] == [(f"{k}={v}", False) for k, v in seen.items()]


def test_standard_input_is_closed():
    """A program that asks gets no answer instead of waiting for ever."""
    assert runner.query(("cat",)).status == 0
    assert stream("cat") == (0, [])


def test_the_directory_is_the_root():
    """No program keeps a file system busy by its working directory."""
    assert runner.query(("pwd",)).stdout == "/\n"
    assert stream("pwd")[1] == [("/", False)]


def test_answers():
    """Status and both outputs, byte for byte."""
    script = 'printf "a\\377\\n"; echo b >&2; exit 3'
    answer = runner.query(("sh", "-c", script))
    assert (answer.status, answer.stderr) == (3, "b\n")
    assert answer.stdout == "a\udcff\n"
    assert runner.query(("cat",), stdin="a\udcff").stdout == "a\udcff"


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("no-such-program",), runner.NOT_FOUND),
        (("/etc/passwd",), 126),
        (("sh", "-c", "kill -9 $$"), -9),
    ],
)
def test_programs_that_cannot_be_started(argv, status):
    """They answer with a status, as in a shell; nothing raises."""
    assert runner.query(argv).status == status
    assert stream(*argv)[0] == status


def test_no_answer_in_time(in_time):
    """A program that takes too long is ended, whatever it has started."""
    begun = time.monotonic()
    answer = runner.query(("sh", "-c", "sleep 30; true"), timeout=0.3)
    assert answer.status == 124
    assert time.monotonic() - begun < 5


def test_lines():
    """Newline and carriage return end a line, empty ones are dropped, rest counts."""
    script = 'printf "1%%\\r2%%\\r\\n\\n\\377x\\nrest"; printf "bad" >&2'
    status, lines = stream("sh", "-c", script)
    assert status == 0
    assert [text for text, bad in lines if not bad] == ["1%", "2%", "\udcffx", "rest"]
    assert [text for text, bad in lines if bad] == ["bad"]


def test_lines_come_while_the_program_runs():
    """A line is handed over when it is written, not when the program ends."""
    seen = []

    def on_line(text, _):
        seen.append((text, time.monotonic()))

    runner.stream(("sh", "-c", "echo 1; sleep 0.6; echo 2"), on_line)
    assert seen[1][1] - seen[0][1] > 0.4


@pytest.mark.parametrize("script", ["cat", "yes 0123456 | head -c 1000000; cat >&2"])
def test_much_to_read_and_to_write(in_time, script):
    """Text larger than a pipe holds goes through, also when the child talks first."""
    text = "0123456\n" * 125_000
    status, lines = stream("sh", "-c", script, stdin=text)
    assert status == 0
    assert len(lines) == 125_000 * (2 if "yes" in script else 1)
    assert runner.query(("sh", "-c", script), stdin=text).status == 0


def test_a_child_that_does_not_read(in_time):
    """What it did not want to read is no error; its status counts."""
    assert stream("sh", "-c", "exit 7", stdin="x" * 1_000_000) == (7, [])


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_the_child_ends_when_nobody_listens(in_time, raised):
    """An interrupt or an error in the middle leaves no program behind."""
    pids = []

    def on_line(text, _):
        pids.append(int(text))
        raise raised

    with pytest.raises(raised):
        runner.stream(("sh", "-c", "echo $$; exec sleep 60"), on_line)
    assert is_gone(pids[0])


PARENT = """
import sys
from zfs_root_migrate import runner
def say(text, bad):
    print(text, flush=True)
runner.stream(("sh", "-c", "echo $$; exec sleep 60"), say, chroot=CHROOT)
"""


@pytest.mark.parametrize("chroot", [None, "/"])
def test_the_child_dies_with_a_killed_parent(needs, chroot):
    """SIGKILL leaves no copier at work, in a chroot neither."""
    needs("unshare", root=chroot is not None)
    script = PARENT.replace("CHROOT", repr(chroot))
    path = os.pathsep.join(sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not is_zombie_or_gone(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert is_gone(pid)


def is_zombie_or_gone(pid):
    """Tell whether a process is not at work right now."""
    return not Path(f"/proc/{pid}/cmdline").exists()


def test_shell_text_can_be_pasted():
    """What is shown does what was done, odd names included."""
    words = ("printf", "%s\\n", "a b", "$HOME", "it's", "*")
    text = runner.shell_text(words)
    shown = subprocess.run(["sh", "-c", text], capture_output=True, check=True).stdout
    assert shown.decode() == runner.query(words).stdout


def test_chroot_has_the_kernel_file_systems(needs, tmp_path):
    """In a chroot /proc, /dev, /sys and /run are there, and nobody else sees them."""
    needs("unshare", "mount", "umount", root=True)
    if runner.query(("mount", "--bind", "/", str(tmp_path))).status:
        pytest.skip("no mounts here")
    try:
        places = ("/proc/self", "/dev/null", "/sys/class")
        script = "for p; do test -e $p; done; test . -ef /; >/tmp/left-in-memory"
        argv = ("sh", "-ec", script, "sh", *places)
        answer = runner.query(argv, chroot=str(tmp_path))
        assert answer.status == 0, answer.stderr
        assert not (tmp_path / "proc/self").exists()
        assert not (tmp_path / "tmp/left-in-memory").exists()
    finally:
        assert runner.query(("umount", str(tmp_path))).status == 0


def test_own_mounts_are_seen_by_nobody_else(needs, tmp_path):
    """What is mounted after enter_own_mounts() is not there for others."""
    needs("mount", root=True)
    script = (
        "import subprocess, sys\n"
        "from zfs_root_migrate import runner\n"
        "runner.enter_own_mounts()\n"
        f"runner.query(('mount', '-t', 'tmpfs', 'none', {str(tmp_path)!r}))\n"
        f"sys.exit(runner.query(('mountpoint', '-q', {str(tmp_path)!r})).status)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, check=False)
    assert done.returncode == 0
    assert not tmp_path.is_mount()
