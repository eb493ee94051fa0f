"""Makes one tree equal to another, completely and fast. Part of the rim.

Worker processes take directories from a queue. Everything is reached from a descriptor
of the directory that holds it, so no path is longer than a name and no symbolic link is
followed. What was copied is written down by inode and change time; the next pass looks
only at what differs.
"""
