"""One attack from a process of its own: `python -m tests.campaign.raid NAME HOST:PORT SIZE` prints how the attacker's
connections ended, how often it was made, and between which moments (time.monotonic). An attack that is over in a
moment is made again and again: in a moment nobody can be timed.

The attacker gives way to the bystander on the core they share: what that one waits for is the server. On Linux it comes
from another loopback address: to a server without certificates, an address is all that tells one caller from another.
"""

import json
import os
import sys
import time
from typing import Any, Final

import trio

from tests.campaign.attacks import ATTACKS, Endings

NICE: Final = 10
RAID_S_MIN: Final = 3.0
RAID_S_MAX: Final = 180.0


async def raid(name: str, address: str, size: int) -> dict[str, Any]:
    (attack,) = (one for one in ATTACKS if one.name == name)
    began, endings, times = time.monotonic(), Endings(), 0
    with trio.move_on_after(RAID_S_MAX) as waited:
        while time.monotonic() - began < RAID_S_MIN:
            endings += await attack.run(address, size)
            times += 1
    return {
        "began": began,
        "ended": time.monotonic(),
        "endings": endings,
        "times": times,
        "finished": not waited.cancelled_caught,
    }


if __name__ == "__main__":
    os.nice(NICE)
    print(json.dumps(trio.run(raid, sys.argv[1], sys.argv[2], int(sys.argv[3]))))
