"""How long to wait before the next try. Pure; the caller brings the randomness."""


def backoff_s(failures: int, first_s: float, most_s: float, spread: float) -> float:
    """Seconds to wait after `failures` (≥ 1) failures in a row: doubling from `first_s` up to `most_s`.

    `spread` in 0..1 is a random number of the caller's; the wait is cut by up to half with it, so that many payments
    that failed together do not come back together.
    """
    doubled = first_s * 2.0 ** min(failures - 1, 32)
    return min(doubled, most_s) * (1.0 - 0.5 * spread)
