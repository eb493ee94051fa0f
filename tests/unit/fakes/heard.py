"""Who is told, for tests: remembers all that there is to tell."""


class Heard:
    """Remembers what `world.Progress` names, each kind in a list of its own."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.commands, self.lines, self.notes = [], [], []
        self.trees, self.progress, self.percents = [], [], []
        self.rounds = 0

    def command(self, text):
        """Remember the command."""
        self.commands.append(text)

    def said(self, text):
        """Remember the line."""
        self.lines.append(text)

    def noted(self, text):
        """Remember what should be read as well."""
        self.notes.append(text)

    def round_begins(self):
        """Count it."""
        self.rounds += 1

    def tree_begins(self, tree):
        """Remember the tree."""
        self.trees.append(tree)

    def advance(self, *, bytes_done, files_done):
        """Remember how far it is."""
        self.progress.append((bytes_done, files_done))

    def percent(self, done):
        """Remember how far it is."""
        self.percents.append(done)
