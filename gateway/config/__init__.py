"""The configuration: the only reader of files and environment in the house."""

from gateway.config.bank import BankProfile, CollectPolicy, Connection, InquiryPolicy, LanePolicy
from gateway.config.failpoints import read_failpoints
from gateway.config.loading import check, load
from gateway.config.problems import ConfigError
from gateway.config.reference import bank_example, example, reference
from gateway.config.settings import (
    Config,
    GrpcSettings,
    Listen,
    PlaintextListener,
    PrincipalConfig,
    StoreSettings,
    TelemetrySettings,
    TlsListen,
)

__all__ = [
    "BankProfile",
    "CollectPolicy",
    "Config",
    "ConfigError",
    "Connection",
    "GrpcSettings",
    "InquiryPolicy",
    "LanePolicy",
    "Listen",
    "PlaintextListener",
    "PrincipalConfig",
    "StoreSettings",
    "TelemetrySettings",
    "TlsListen",
    "bank_example",
    "check",
    "example",
    "load",
    "read_failpoints",
    "reference",
]
