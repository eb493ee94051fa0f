"""A program of its own that asks Portage: `python3 -IB portage_query [--root DIR]`.

It runs under the Python that Portage is installed for, may it be older than ours, so it
uses nothing else of this package; its modules find each other because Python puts the
directory that it is told to run first into sys.path. It writes nothing, whatever
Portage would like to cache, and ends by printing one line of JSON: the fields of
`model.PortageFacts`. Where Portage cannot be asked, `reason` says why, and what the
files tell is there all the same.
"""
