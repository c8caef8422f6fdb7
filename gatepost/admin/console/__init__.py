"""The console: dialogues as the appliance has them, at a terminal, over a pipe or over SSH.

A dialogue is a straight coroutine that asks through `talk.Talk` and calls `admin/operations/`; it decides nothing itself.
"""
