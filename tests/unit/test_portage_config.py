"""Our files in Portage's configuration: whole or not there, and always valid."""

import os
import signal
from pathlib import Path

import pytest

from zfs_root_migrate import portage_config, syscalls
from zfs_root_migrate.errors import MigrateError
from zfs_root_migrate.own_files import (
    Origin,
    SpotKind,
    changes,
    compose,
    parse,
    remark,
    typed,
)
from zfs_root_migrate.wishes import Topic, Wish

USERS = "# mine\napp-misc/foo bar\n*/* -X\n"
KEYWORD = "=sys-fs/zfs-2.4.3 ~amd64"
FLAGS = "sys-fs/zfs rootfs"


def wish(topic, line):
    """Return a wish for a line."""
    return Wish(topic=topic, package="sys-fs/zfs", line=line, why="a reason")


WISHES = (
    wish(Topic.KEYWORDS, KEYWORD),
    wish(Topic.LICENCE, "=sys-fs/zfs-2.4.3 CDDL"),
    wish(Topic.USE, FLAGS),
)


@pytest.fixture
def portage(tmp_path):
    """Return an empty /etc/portage."""
    place = tmp_path / "portage"
    place.mkdir()
    return place


def plan(portage, wanted=WISHES):
    """Return what there is to write."""
    return changes(wanted, portage_config.survey(str(portage)))


def fix(portage, wanted=WISHES):
    """Write it, and tell how many files were written."""
    planned = plan(portage, wanted)
    portage_config.write(str(portage), planned)
    return len(planned)


def undo(portage):
    """Take it away again."""
    return portage_config.remove(str(portage))


def reads(path):
    """Return the lines that Portage reads: sorted, nothing hidden, no backup files.

    As `_recursive_file_list` of portage.util does it.
    """
    if path.name.startswith(".") or path.name.endswith("~"):
        return []
    if path.is_dir():
        names = sorted(path.iterdir(), key=lambda p: p.name)
        return [line for name in names for line in reads(name)]
    lines = path.read_text().splitlines() if path.is_file() else []
    return [line for line in lines if line and line[0] != "#"]


def tree(place):
    """Return all that lies below a place: content, mode and inode of files, links."""
    found = {}
    for path in sorted(place.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            what = ("link", str(path.readlink()))
        elif path.is_dir():
            what = ("directory", status.st_mode)
        else:
            what = (path.read_bytes(), status.st_mode, status.st_ino)
        found[str(path.relative_to(place))] = what
    return found


def make_empty(portage):
    """Make nothing."""


def make_directories(portage):
    """Directories, as a stage3 has them, with a file in one."""
    for topic in Topic:
        (portage / topic).mkdir()
    (portage / "package.use/mine").write_text(USERS)


def make_files(portage):
    """Single files."""
    for topic in Topic:
        (portage / topic).write_text(USERS)
    (portage / "package.use").chmod(0o640)


def make_links(portage):
    """Links to files elsewhere, a relative and an absolute one, and to a directory."""
    other = portage.parent / "dotfiles"
    other.mkdir()
    (other / "keywords").write_text(USERS)
    (other / "licence").write_text(USERS)
    (other / "use").mkdir()
    (portage / Topic.KEYWORDS).symlink_to("../dotfiles/keywords")
    (portage / Topic.LICENCE).symlink_to(other / "licence")
    (portage / Topic.USE).symlink_to("../dotfiles/use")


STARTS = (make_empty, make_directories, make_files, make_links)


@pytest.mark.parametrize("start", STARTS)
def test_there_and_back(portage, start):
    """It is read beside what was there; twice is once; undo restores all."""
    start(portage)
    before = tree(portage.parent)
    users = {topic: reads(portage / topic) for topic in Topic}
    assert fix(portage) == 3
    written = tree(portage.parent)
    for topic, wanted in zip(Topic, WISHES, strict=True):
        assert reads(portage / topic) == [*users[topic], wanted.line]
        assert (portage / topic).stat().st_mode & 0o777 == 0o755
        file = portage / topic / "zfs-root-migrate"
        assert file.stat().st_mode & 0o777 == 0o644
    assert fix(portage) == 0
    assert tree(portage.parent) == written
    assert len(undo(portage)) == 3
    assert tree(portage.parent) == before
    assert undo(portage) == ()


def test_the_single_file_is_the_same_file(portage):
    """Same inode, same mode, with the directory and without it; one name in the end."""
    make_files(portage)
    use = portage / "package.use"
    inode = use.stat().st_ino
    fix(portage)
    assert (use / "package.use").stat().st_ino == inode
    assert (use / "package.use").stat().st_nlink == 1
    undo(portage)
    assert (use.stat().st_ino, use.stat().st_nlink) == (inode, 1)


def test_what_becomes_of_a_place_is_said(portage):
    """A single file and a link are more than a new file."""
    make_links(portage)
    (portage / Topic.KEYWORDS).unlink()
    (portage / Topic.KEYWORDS).write_text(USERS)
    said = [remark(change.spot) for change in plan(portage)]
    assert "becomes a directory" in said[0]
    assert f"{portage}/package.accept_keywords/package.accept_keywords" in said[0]
    assert "single link" in said[1]
    assert str(portage.parent / "dotfiles/use") in said[2]
    make_nothing = plan(portage, ())
    assert make_nothing == ()


def test_more_lines_later(portage):
    """Lines are added to our own file; where the place came from is not forgotten."""
    make_files(portage)
    fix(portage)
    more = wish(Topic.USE, "sys-boot/grub grub_platforms_pc")
    assert fix(portage, (*WISHES, more)) == 1
    use = portage / "package.use"
    assert reads(use)[-2:] == [FLAGS, "sys-boot/grub grub_platforms_pc"]
    assert parse((use / "zfs-root-migrate").read_text()).origin is Origin.FILE
    assert fix(portage, (more,)) == 0
    undo(portage)
    assert use.read_text() == USERS


def test_a_file_that_was_changed_by_hand_stays(portage):
    """It is named, not removed and not written to."""
    make_directories(portage)
    fix(portage)
    own = portage / "package.use/zfs-root-migrate"
    with own.open("a") as file:
        file.write("app-misc/mine flag\n")
    before = own.read_text()
    said = undo(portage)
    assert any("changed" in line and str(own) in line for line in said)
    assert own.read_text() == before
    assert not (portage / "package.license/zfs-root-migrate").exists()
    with pytest.raises(MigrateError, match="changed by hand"):
        plan(portage, (wish(Topic.USE, "sys-boot/grub pc"),))
    assert plan(portage, WISHES[2:]) == ()


@pytest.mark.parametrize("text", ["", "sys-fs/zfs x\n", "# by zfs-root-migrate\n"])
def test_a_file_of_our_name_that_is_not_ours(portage, text):
    """It is neither written to nor removed."""
    make_directories(portage)
    own = portage / "package.use/zfs-root-migrate"
    own.write_text(text)
    with pytest.raises(MigrateError, match="not ours"):
        plan(portage)
    assert undo(portage) == ()
    assert own.read_text() == text


def test_links_and_directories_of_our_name(portage):
    """They are not followed and not replaced."""
    make_directories(portage)
    elsewhere = portage.parent / "shadow"
    elsewhere.write_text("secret\n")
    (portage / "package.use/zfs-root-migrate").symlink_to(elsewhere)
    (portage / "package.license/zfs-root-migrate").mkdir()
    for wanted in WISHES[1:]:
        with pytest.raises(MigrateError, match="not ours"):
            plan(portage, (wanted,))
    assert undo(portage) == ()
    assert elsewhere.read_text() == "secret\n"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_places_that_are_no_good(portage, make):
    """A pipe or a dangling link: refused, with the line to type."""
    make(portage / "package.use")
    (spot,) = [s for s in portage_config.survey(str(portage)) if s.topic is Topic.USE]
    assert spot.kind is SpotKind.NOTHING_GOOD
    with pytest.raises(MigrateError, match="neither a file nor a directory"):
        plan(portage)


def test_lines_to_type(portage):
    """They fit the places as they are."""
    make_files(portage)
    (portage / "package.use").unlink()
    (portage / "package.use").mkdir()
    lines = typed(WISHES, portage_config.survey(str(portage)))
    assert lines[0] == f"echo '{KEYWORD}' >> {portage}/package.accept_keywords"
    assert lines[2] == f"echo '{FLAGS}' >> {portage}/package.use/zfs"


def test_the_directory_stays_where_something_was_added(portage):
    """Only our file goes, and what is left is named."""
    make_files(portage)
    fix(portage)
    (portage / "package.use/more").write_text("app-misc/more flag\n")
    said = undo(portage)
    assert any("stays a directory" in line and "more" in line for line in said)
    assert sorted(os.listdir(portage / "package.use")) == ["more", "package.use"]
    assert (portage / "package.license").read_text() == USERS


def test_a_directory_made_by_us_stays_where_something_was_added(portage):
    """Nobody else's file is removed."""
    fix(portage)
    (portage / "package.use/more").write_text("app-misc/more flag\n")
    undo(portage)
    assert sorted(os.listdir(portage)) == ["package.use"]
    assert reads(portage / "package.use") == ["app-misc/more flag"]


def test_the_users_file_edited_in_the_directory(portage):
    """An editor puts a new file in its place; undo brings that one back."""
    make_files(portage)
    fix(portage)
    inside = portage / "package.use/package.use"
    new = inside.with_name("new")
    new.write_text("app-misc/new flag\n")
    new.replace(inside)
    undo(portage)
    assert (portage / "package.use").read_text() == "app-misc/new flag\n"


@pytest.mark.parametrize("number", [22, 38, 18])
def test_a_kernel_that_cannot_exchange_names(portage, monkeypatch, number):
    """Nothing at all is changed, also where other places could be written."""
    make_files(portage)
    (portage / "package.license").unlink()
    before = tree(portage)

    def refuse(first, _second):
        raise OSError(number, os.strerror(number), first)

    monkeypatch.setattr(syscalls, "exchange", refuse)
    with pytest.raises(MigrateError) as caught:
        fix(portage)
    assert "nothing was changed" in caught.value.details
    assert tree(portage) == before


def test_the_last_place_fails(portage, monkeypatch):
    """What was written before it is taken back, older lines of ours stay."""
    make_directories(portage)
    fix(portage, WISHES[:1])
    before = tree(portage)
    whole = portage_config._write_file

    def full(directory, text):
        if directory.name == "package.use":
            raise OSError(28, "No space left on device", str(directory))
        whole(directory, text)

    monkeypatch.setattr(portage_config, "_write_file", full)
    wanted = (*WISHES, wish(Topic.KEYWORDS, "=sys-fs/mdadm-4.4 ~amd64"))
    with pytest.raises(MigrateError, match="No space"):
        fix(portage, wanted)
    after = tree(portage)
    assert {k: v[:2] for k, v in after.items()} == {
        k: v[:2] for k, v in before.items()
    }


def test_taking_back_fails_too(portage, monkeypatch):
    """Then what stays is named."""
    make_directories(portage)
    whole = portage_config._write_file

    def refuse(path, **_):
        raise OSError(5, "Input/output error", str(path))

    def full(directory, text):
        if directory.name == "package.use":
            monkeypatch.setattr(Path, "unlink", refuse)
            raise OSError(28, "No space left on device", str(directory))
        whole(directory, text)

    monkeypatch.setattr(portage_config, "_write_file", full)
    with pytest.raises(MigrateError) as caught:
        fix(portage)
    monkeypatch.undo()
    stays = [str(portage / topic / "zfs-root-migrate") for topic in list(Topic)[:2]]
    assert all(path in caught.value.details for path in stays)
    assert "nothing" not in caught.value.details


def test_a_read_only_place(portage, monkeypatch):
    """It is told as what it is."""
    make_directories(portage)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system", "x")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(MigrateError, match="Read-only file system"):
        fix(portage)


def test_an_editor_saves_at_this_moment(portage, monkeypatch):
    """Its file is in force, not the one that was linked before; nothing is lost."""
    make_files(portage)
    use = portage / "package.use"
    exchange = syscalls.exchange

    def save_first(first, second):
        monkeypatch.setattr(syscalls, "exchange", exchange)
        new = use.with_name("saved")
        new.write_text("app-misc/saved flag\n")
        new.replace(use)
        exchange(first, second)

    monkeypatch.setattr(syscalls, "exchange", save_first)
    with pytest.raises(MigrateError, match="changed at this moment"):
        fix(portage, WISHES[2:])
    assert use.read_text() == "app-misc/saved flag\n"
    assert sorted(os.listdir(portage)) == sorted(Topic)


def test_two_at_once(portage):
    """The second one sees that the first was there, and harms nothing."""
    make_files(portage)
    planned = plan(portage)
    fix(portage)
    before = tree(portage)
    with pytest.raises(MigrateError, match="somebody else is writing"):
        portage_config.write(str(portage), planned)
    assert tree(portage) == before


def test_one_waits_for_the_other(portage):
    """The lock is held while something is written."""
    import fcntl

    with portage_config._locked(str(portage)):
        other = os.open(portage, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)


def test_what_is_left_over_and_not_known(portage):
    """A hidden name of ours that holds something else is not removed."""
    make_files(portage)
    left = portage / ".package.use.zfs-root-migrate.0"
    left.mkdir()
    (left / "package.use").write_text("an older state\n")
    (portage / ".package.use.zfs-root-migrate.1").write_text("older still\n")
    fix(portage)
    undo(portage)
    assert (left / "package.use").read_text() == "an older state\n"
    assert (portage / ".package.use.zfs-root-migrate.1").exists()


# killed between any two operations

OPERATIONS = (
    *("mkdir", "chmod", "fchmod", "link", "symlink", "unlink", "rename", "replace"),
    *("rmdir", "fsync"),
)


def die_after(count, deed):
    """Do a deed in a process that is killed before its operation of that number.

    Returns whether it came to its end.
    """
    child, fsync = os.fork(), os.fsync
    if child == 0:
        left = [count]

        def counted(real):
            def operation(*args, **more):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                # whether it is on the disk is nothing that a killed process shows
                return None if real is fsync else real(*args, **more)

            return operation

        try:
            for name in OPERATIONS:
                setattr(os, name, counted(getattr(os, name)))
            syscalls.exchange = counted(syscalls.exchange)
            deed()
        except BaseException:  # noqa: BLE001 - the parent is told by the status
            os._exit(2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status == 0


@pytest.mark.programs
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("deed", [fix, undo])
def test_killed_anywhere(tmp_path, monkeypatch, start, deed):
    """All that the user wrote is in force, ours or not; then both ways lead on."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    ended, count = False, 0
    while not ended:
        portage = tmp_path / f"{count}/portage"
        portage.mkdir(parents=True)
        start(portage)
        users = {topic: reads(portage / topic) for topic in Topic}
        before = tree(portage.parent)
        if deed is undo:
            fix(portage)
        ended = die_after(count, lambda p=portage: deed(p))
        for topic, wanted in zip(Topic, WISHES, strict=True):
            assert reads(portage / topic) in (
                users[topic],
                [*users[topic], wanted.line],
            ), count
        fix(portage)
        for topic, wanted in zip(Topic, WISHES, strict=True):
            assert reads(portage / topic) == [*users[topic], wanted.line]
        undo(portage)
        after = tree(portage.parent)
        assert {k: v for k, v in after.items() if k not in before} == {}
        assert after == before
        count += 1
    assert count > 8


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize("body", ["", "a\n", "# x\n\nb c\n", "ä \udcff\n", "no end"])
def test_a_file_says_what_it_is(origin, body):
    """What is composed is read again; any other text is not taken for it."""
    text = compose(origin, body)
    own = parse(text)
    assert (own.origin, own.body, own.intact) == (origin, body, True)
    assert all(line[0] == "#" for line in text.removesuffix(body).splitlines())
    assert not parse(f"{text}x").intact
    assert parse(f"x{text}") is None
    cut = parse(text[: text.index("sha256")])
    assert cut is not None
    assert not cut.intact
