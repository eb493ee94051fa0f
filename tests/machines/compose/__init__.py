"""Makes recordings of machines that nobody has at hand, in the form of real ones.

A description (disks, mounts, kernels, texts of files) is rendered into what the real
programs print, `gather` reads it, and its questions and answers are the recording. The
forms are those of util-linux 2.40, kmod 34, OpenZFS 2.3 and Portage 3.0.

Run `python -m tests.machines.compose` after a change of what `gather` asks.
"""
