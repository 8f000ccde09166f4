"""A claim about the memory of number checks."""

from gateway.intake import places
from gateway.intake.places import CHECKS_KEPT_MAX, is_bic, is_iban
from tests.fakes.payments import IBAN_DE
from tests.fills import fills


@fills("CHECKS_KEPT_MAX")
def test_results_of_checks_are_kept_for_so_many_numbers() -> None:
    """Whoever never repeats a number fills CHECKS_KEPT_MAX places, and no more; what is checked stays right."""
    for kept, check in ((places._is_iban, is_iban), (places._is_bic, is_bic)):
        kept.cache_clear()
        for number in range(CHECKS_KEPT_MAX + 2):
            assert not check(f"{number:08}")
        assert kept.cache_info().currsize == CHECKS_KEPT_MAX
        kept.cache_clear()  # the other tests of this process do without 10 MiB
    assert is_iban(IBAN_DE)
    assert is_bic("COBADEFFXXX")
