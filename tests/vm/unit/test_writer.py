"""The records whose loss would be noticed: they go on, and what is wrong shows."""

from pathlib import Path

import pytest

from tests.vm import writer


def write(top: Path, count: int) -> dict[str, list[str]]:
    """Write so many records into each store; return what is reported."""
    reported: dict[str, list[str]] = {}
    for store in (made(top) for made in writer.STORES):
        number, digest = (list(store.records()) or [(-1, "")])[-1]
        store.open()
        for _ in range(count):
            number, digest = number + 1, writer.chained(store.kind, number + 1, digest)
            store.append(number, digest)
            line = f"{store.kind} {number} {digest}"
            reported.setdefault(store.kind, []).append(line)
    return reported


def dumped(top: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what is there."""
    writer.dump(top)
    return capsys.readouterr().out.splitlines()


def test_records_go_on(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What one process has written, the next one goes on behind; files grow."""
    monkeypatch.setattr(writer, "GROW", writer.SLOT << 7)
    first, second = write(tmp_path, 50), write(tmp_path, 300)
    there = dumped(tmp_path, capsys)
    for kind in ("plain", "sqlite", "mmap"):
        wanted = [*first[kind], *second[kind]]
        assert [line for line in there if line.startswith(kind)] == wanted
    assert len(there) == 3 * 350


def test_what_was_torn_is_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a line at the end was never acknowledged."""
    write(tmp_path, 3)
    path = writer.Plain(tmp_path).path
    path.write_text(path.read_text() + "3 abc")
    (line,) = write(tmp_path, 1)["plain"]
    assert line.startswith("plain 3 ")
    assert not [text for text in dumped(tmp_path, capsys) if "broken" in text]


def test_what_is_missing_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record less in the middle breaks the chain of its store."""
    write(tmp_path, 9)
    path = writer.Plain(tmp_path).path
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:4] + lines[5:]) + "\n")
    mapped = writer.Mapped(tmp_path).path
    data = bytearray(mapped.read_bytes())
    data[6 * writer.SLOT] ^= 1
    mapped.write_bytes(data)
    there = dumped(tmp_path, capsys)
    assert "plain broken at 4" in there
    assert "mmap broken at 6" in there
    assert sum(line.startswith("sqlite ") for line in there) == 9
