"""Which protocols there are. Explicit: a bank profile names one of these, and nothing is found by magic."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from adapters.iso20022.adapter import Iso20022Adapter, Iso20022MailboxAdapter
from adapters.iso20022.config import from_settings
from gateway.core.ports import Adapter


def _iso20022(settings: Mapping[str, object]) -> Adapter:
    config = from_settings(settings)
    return Iso20022MailboxAdapter(config) if config.collect_path else Iso20022Adapter(config)


PROTOCOLS: Final[Mapping[str, Callable[[Mapping[str, object]], Adapter]]] = MappingProxyType({"iso20022": _iso20022})
"""Protocol name, as a bank profile writes it → what builds its adapter from the profile's settings."""


def build(protocol: str, settings: Mapping[str, object]) -> Adapter:
    """The adapter of one bank. `settings` is the `[protocol_settings]` table of its profile.

    Raises ValueError that begins with the key that is wrong (`protocol` itself included) and says what is allowed. An
    adapter whose bank has a mailbox also satisfies ports.Collects.
    """
    maker = PROTOCOLS.get(protocol)
    if maker is None:
        raise ValueError(f"protocol: unknown; allowed is {', '.join(sorted(PROTOCOLS))}")
    return maker(settings)
