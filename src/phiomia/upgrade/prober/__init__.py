"""Tries the server out while it is upgraded, as people, apps and other servers do, and notes what it sees.

`asking` is the process that does it, `targets` says what it asks for, `samples` is the file that it writes, `summary`
what follows from that. It starts and ends with the upgrade: see `upgrade/probe.py`.
"""
