"""Where to put the labels at the ends of many lines so that none covers another."""

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The positions nearest to `wanted` (least squares) that keep their order and lie `gap` apart.

    With label i of the sorted labels moved down by i gaps, "at least a gap apart" reads "not decreasing", which is
    isotonic regression; its pooling of adjacent violators is exact (Barlow et al. 1972).

    Arguments:
        wanted: position of each line's end, in data units, in any order.
        gap: least distance between two labels, in data units.
        low: lowest position allowed.
        high: highest position allowed; where the labels do not fit below it, they go over rather than overlap.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    pools: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        mean, size = wanted[index] - rank * gap, 1
        while pools and pools[-1][0] > mean:
            below, members = pools.pop()
            mean, size = (below * members + mean * size) / (members + size), members + size
        pools.append((mean, size))
    shifted = [mean for mean, size in pools for _ in range(size)]
    ceiling = high - (len(wanted) - 1) * gap
    placed = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        placed[index] = max(low, min(shifted[rank], ceiling)) + rank * gap
    return placed
