"""File systems in memory: a name, and a content for each path."""

from dataclasses import dataclass, field

DIRECTORY = "(directory)"
Place = tuple[str, str]


@dataclass
class Files:
    """File systems, what is mounted where, and what of it outlives a reboot."""

    trees: dict[str, dict[str, str]]
    always: dict[str, Place]
    own: dict[str, Place] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)

    def place(self, path: str) -> Place:
        """Return the file system that a path lies on, and the path in it."""
        at = path
        while not (mount := self.own.get(at) or self.always.get(at)):
            at = at.rpartition("/")[0] or "/"
        name, top = mount
        return name, (top.rstrip("/") + path[len(at.rstrip("/")) :]) or "/"

    def read(self, path: str) -> str | None:
        """Return the content of a file."""
        name, inner = self.place(path)
        return DIRECTORY if inner == "/" else self.trees[name].get(inner)

    def write(self, path: str, content: str) -> None:
        """Write a file whose directory is there."""
        name, inner = self.place(path)
        parent = inner.rpartition("/")[0]
        assert name not in self.read_only, path
        assert not parent or self.trees[name].get(parent) == DIRECTORY, path
        self.trees[name][inner] = content

    def make_directory(self, path: str) -> None:
        """Make a directory and its parents."""
        parts = path.strip("/").split("/")
        for n in range(1, len(parts) + 1):
            here = "/" + "/".join(parts[:n])
            if self.read(here) is None:
                self.write(here, DIRECTORY)

    def remove(self, path: str) -> None:
        """Remove a file."""
        name, inner = self.place(path)
        assert name not in self.read_only, path
        self.trees[name].pop(inner, None)

    def below(self, path: str) -> dict[str, str]:
        """Return what is below a directory on its own file system."""
        name, inner = self.place(path)
        top = inner.rstrip("/")
        return {
            key[len(top) :]: content
            for key, content in self.trees[name].items()
            if key.startswith(top + "/")
        }

    def copy(
        self, source: str, destination: str, exclude: tuple[str, ...], limit: int
    ) -> None:
        """Copy up to `limit` files, then remove what the source does not have."""
        wanted = {p: c for p, c in self.below(source).items() if not _out(p, exclude)}
        name, inner = self.place(destination)
        assert inner == "/" or self.trees[name].get(inner) == DIRECTORY, destination
        for path in sorted(wanted)[:limit]:
            if wanted[path] == DIRECTORY:
                self.make_directory(destination + path)
            else:
                self.write(destination + path, wanted[path])
        if len(wanted) <= limit:
            for path in self.seen(destination):
                inside = path[len(destination) :]
                if inside not in wanted and not _is_kept(inside, exclude):
                    self.remove(path)

    def seen(self, path: str) -> list[str]:
        """Return every path below a directory as a walk would find it."""
        return [
            path + inner
            for inner in self.below(path)
            if self.place(path + inner) == _joined(self.place(path), inner)
        ]


def _joined(place: Place, inner: str) -> Place:
    return place[0], place[1].rstrip("/") + inner


def _is_kept(path: str, exclude: tuple[str, ...]) -> bool:
    return _out(path, exclude) or any(e.startswith(path + "/") for e in exclude)


def _out(path: str, exclude: tuple[str, ...]) -> bool:
    return any(path == e or path.startswith(e + "/") for e in exclude)
