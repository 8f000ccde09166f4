"""How long a provider takes: log-normal, as measured services are, given by its median and 99th percentile."""

import math
import random

_Z99 = 2.326_347_874  # standard normal quantile of 0.99


class Latency:
    """`fixed_s`, and on top of it a draw from the log-normal with these percentiles; 0 for both: nothing on top."""

    def __init__(self, fixed_s: float, p50_s: float, p99_s: float, seed: int) -> None:
        self._fixed_s = fixed_s
        self._mu = math.log(p50_s) if p50_s else None
        self._sigma = math.log(p99_s / p50_s) / _Z99 if p50_s else 0.0
        self._dice = random.Random(seed)

    def next_s(self) -> float:
        """Seconds until the next answer."""
        if self._mu is None:
            return self._fixed_s
        return self._fixed_s + self._dice.lognormvariate(self._mu, self._sigma)
