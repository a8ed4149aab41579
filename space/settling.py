"""When a computation comes to rest under a constant image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence


def settles_at(reads: Mapping[int, Sequence[int]], delays: Mapping[int, int], node: int) -> int | None:
    """The step from which a value no longer changes, or None if it depends on its own past.

    Arguments:
        reads: node → what it reads; all of them are ones that `node` depends on.
        delays: node → how many steps before it reads that.
        node: of the value.

    """
    waits = {each: len(read) for each, read in reads.items()}
    readers: dict[int, list[int]] = defaultdict(list)
    for each, read in reads.items():
        for one in read:
            readers[one].append(each)
    settled = dict.fromkeys(reads, 0)
    ready = [each for each, count in waits.items() if not count]
    while ready:
        done = ready.pop()
        for reader in readers[done]:
            settled[reader] = max(settled[reader], settled[done] + delays[reader])
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return None if waits[node] else settled[node]
