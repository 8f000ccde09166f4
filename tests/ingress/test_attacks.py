"""The attacks of tests/campaign in short, against the real edge on loopback, beside a client that must not notice."""

from pathlib import Path

import pytest
import trio

from tests.campaign.attacks import ATTACKS, Attack
from tests.campaign.bystander import Bystander
from tests.campaign.stage import resident_bytes, staged

GROWTH_BYTES_MAX = 50_000_000
ATTACK_S_MAX = 60.0
SHORT = [attack for attack in ATTACKS if attack.short]


@pytest.mark.parametrize("attack", SHORT, ids=lambda attack: attack.name)
async def test_an_attack_costs_the_attacker(attack: Attack, tmp_path: Path) -> None:
    """The attacker's connections end as the protocol has it; memory stays; every call of another client succeeds."""
    async with staged(tmp_path) as (edge, known):
        before = resident_bytes()
        bystander = Bystander(edge.addresses["plaintext"], known)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, bystander.run)
            with trio.fail_after(ATTACK_S_MAX):
                endings = await attack.run(edge.addresses[attack.door], attack.short)
            bystander.leaving.set()
        assert endings.keys() <= attack.ends
        assert endings or not attack.ends
        assert resident_bytes() - before < GROWTH_BYTES_MAX
        assert bystander.calls
        assert not bystander.failures
