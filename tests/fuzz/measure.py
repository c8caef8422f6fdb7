"""How much an object keeps: the octets and characters of all that can be reached from it."""

from __future__ import annotations

from collections import deque
from enum import Enum

import msgspec


def held(thing: object) -> int:
    """Return the size of all texts and octets below `thing`, and 8 for everything else."""
    total = 0
    seen: set[int] = set()
    left = [thing]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, type | Enum):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray | str):
            total += len(one)
            continue
        total += 8
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | deque | set | frozenset):
            left += one
        elif isinstance(one, msgspec.Struct):
            left += [getattr(one, name) for name in one.__struct_fields__]
        else:
            left += list(getattr(one, "__dict__", {}).values())
            left += [getattr(one, name) for name in getattr(type(one), "__slots__", ()) if hasattr(one, name)]
    return total
