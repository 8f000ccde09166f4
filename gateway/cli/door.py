"""Where the daemon is and who we are: flags first, then the profile. Opens the stock grpcio channel."""

import argparse
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from causeway.v1 import (
    bank_service_pb2_grpc,
    doubt_service_pb2_grpc,
    payment_service_pb2_grpc,
    quarantine_service_pb2_grpc,
)
from gateway.cli.complaint import Complaint, Exit
from gateway.cli.refusal import from_call

PROFILE_VARIABLE = "CAUSEWAY_PROFILE"
PROFILE_KEYS = ("address", "ca", "cert", "private_key", "server_name")
MESSAGE_BYTES_MAX = 16 * 1024 * 1024  # a page of 1,000 payments with their attempts stays below 8 MiB

_HOW = (
    "name the daemon: --address HOST:PORT --ca FILE --cert FILE --private-key FILE",
    f"or a profile with these four: --profile FILE.toml, or export {PROFILE_VARIABLE}=FILE.toml",
    "`causeway demo` starts a daemon to try things on and writes such a profile: build/demo/profile.toml",
)


@dataclass(frozen=True, slots=True)
class Door:
    """One daemon and the identity we show it. The three files are PEM."""

    address: str
    ca: Path
    cert: Path
    private_key: Path
    server_name: str = ""
    """The name the daemon's certificate must carry, where it is not the host of `address`."""


def find_door(chosen: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Door:
    """The door that flags and profile describe. Raises Complaint naming what is missing or unreadable."""
    environ = os.environ if environment is None else environment
    profile = chosen.profile or environ.get(PROFILE_VARIABLE)
    known = read_profile(Path(profile)) if profile else {}
    for key in ("address", "ca", "cert", "private_key"):
        if getattr(chosen, key):
            known[key] = getattr(chosen, key)
    return door_from(known)


def door_from(known: Mapping[str, str]) -> Door:
    """The door that a profile's keys describe. Raises Complaint naming the keys that are missing."""
    missing = [key for key in PROFILE_KEYS[:4] if not known.get(key)]
    if missing:
        raise Complaint(f"which daemon? Not known: {', '.join(missing)}", advice=_HOW)
    return Door(
        known["address"],
        Path(known["ca"]),
        Path(known["cert"]),
        Path(known["private_key"]),
        known.get("server_name", ""),
    )


def read_profile(file: Path) -> dict[str, str]:
    """The keys of a profile; its relative paths are relative to the profile's own folder."""
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text())
    except OSError as error:
        raise Complaint(f"the profile {file} cannot be read: {error.strerror}", advice=_HOW) from error
    except tomllib.TOMLDecodeError as error:
        raise Complaint(f"the profile {file} is no TOML: {error}") from error
    for key, value in found.items():
        if key not in PROFILE_KEYS or not isinstance(value, str):
            raise Complaint(f"the profile {file}: {key} is not known as text; allowed: {', '.join(PROFILE_KEYS)}")
    for key in ("ca", "cert", "private_key"):
        if key in found:
            found[key] = str(file.parent / found[key])
    return dict(found)


class Stubs:
    """The stock stubs of one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.payments = payment_service_pb2_grpc.PaymentServiceStub(channel)
        self.banks = bank_service_pb2_grpc.BankServiceStub(channel)
        self.doubts = doubt_service_pb2_grpc.DoubtServiceStub(channel)
        self.quarantine = quarantine_service_pb2_grpc.QuarantineServiceStub(channel)


@contextmanager
def opened(door: Door) -> Iterator[Stubs]:
    """A channel through the door for the length of a `with`; what grpc raises inside becomes a Complaint."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.enable_retries", 0),  # retries are ours: they must keep the key and tell the person
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.enable_http_proxy", 0),  # a payment never takes a detour an environment variable names
    ]
    if door.server_name:
        options.append(("grpc.ssl_target_name_override", door.server_name))
    credentials = grpc.ssl_channel_credentials(_pem(door.ca), _pem(door.private_key), _pem(door.cert))
    with grpc.secure_channel(door.address, credentials, options=options) as channel:
        try:
            yield Stubs(channel)
        except grpc.RpcError as error:
            raise from_call(error).complaint(door.address) from error


def _pem(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise Complaint(f"{file} cannot be read: {error.strerror}", advice=_HOW, exit=Exit.USAGE) from error
    if b"-----BEGIN" not in content:
        raise Complaint(f"{file} holds no PEM (no -----BEGIN line)")
    return content
