"""The seal's windows: real file systems, mounted and written to or not."""

import json
import subprocess
import sys

import pytest

from zfs_root_migrate import runner
from zfs_root_migrate.errors import StepFailedError
from zfs_root_migrate.runner import Answer
from zfs_root_migrate.step import SourceFs
from zfs_root_migrate.windows import log_window, seal_text

LOGPRINT = """\
xfs_logprint:
    data device: 0x{data}
    log device: 0x702 daddr: {start} length: {length}

    log tail: 13 head: {head} state: {state}
"""


def logprint(data="702", start=1000, length=2000, head=13, state="<CLEAN>"):
    """Return what xfs_logprint -t says."""
    return LOGPRINT.format(
        data=data, start=start, length=length, head=head, state=state
    )


def test_where_the_log_goes_on():
    """Behind its head, and not behind its end."""
    assert log_window(logprint()) == (1013 * 512, 4096)
    assert log_window(logprint(head=1998)) == (2998 * 512, 1024)


@pytest.mark.parametrize(
    "text", [logprint(state="<DIRTY>"), logprint(data="801"), "", "log head: 3"]
)
def test_a_log_that_is_not_understood(text, monkeypatch):
    """No window is made up: the pass fails."""
    with pytest.raises(ValueError, match="log"):
        log_window(text)
    monkeypatch.setattr(runner, "query", lambda argv: Answer(argv, 0, text, ""))
    xfs = SourceFs(target="/", fs_type="xfs", uuid="u")
    with pytest.raises(StepFailedError, match="where the log of"):
        seal_text((xfs,), "0" * 64)


# makes a file system in a file, then says what its seal is after each thing done to it
IN_A_NAMESPACE = """
import json, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
from zfs_root_migrate import windows
kind, top = sys.argv[1], Path(sys.argv[2])
def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
run("truncate", "-s", "320M", top / "image")
run("mkfs." + kind, "-q", top / "image")
device = run("losetup", "--find", "--show", top / "image").strip()
mount = top / "mount"
mount.mkdir()
class Fs:
    fs_type, uuid = kind, "u"
Fs.device = device
said = []
def look():
    said.append(windows.seal_text((Fs,), "m"))
try:
    run("mount", device, mount)
    (mount / "file").write_text("before")
    run("sync")
    run("mount", "-o", "remount,ro", mount)
    look()
    run("sync")
    run("mount", "-o", "remount,ro", mount)
    look()
    run("umount", mount)
    run("mount", "-o", "ro", device, mount)
    run("umount", mount)
    look()
    look()
    run("mount", device, mount)
    (mount / "file").write_text("after")
    run("umount", mount)
    look()
    run("mount", device, mount)
    run("umount", mount)
    look()
finally:
    subprocess.run(["umount", mount], stderr=subprocess.DEVNULL)
    run("losetup", "--detach", device)
print(json.dumps(said))
"""


@pytest.mark.programs
@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4", "xfs"])
def test_a_mount_for_writing_shows(kind, tmp_path, needs):
    """Reading leaves the windows alone, any mount for writing does not."""
    needs("unshare", "losetup", f"mkfs.{kind}", root=True)
    if kind == "xfs":
        needs("xfs_logprint")
    argv = ["unshare", "--mount", sys.executable, "-c", IN_A_NAMESPACE]
    done = subprocess.run(
        [*argv, kind, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine cannot mount {kind} from a file")
    first, still, unmounted, looked, written, mounted = json.loads(done.stdout)
    assert first == still
    assert unmounted == looked
    # XFS alone writes when it is unmounted after having been made read-only
    assert (first == unmounted) == (kind != "xfs")
    assert len({looked, written, mounted}) == 3
    for text in (first, written):
        version, manifest, *words = text.split()
        assert (version, manifest) == ("v1", "m")
        assert len(words) == (2 if kind == "xfs" else 1)
        for word in words:
            uuid, offset, length, digest = word.split(",")
            assert (uuid, len(digest)) == ("u", 64)
            # the initramfs reads whole sectors
            assert int(offset) % 512 == int(length) % 512 == 0
