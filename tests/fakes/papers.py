"""The certificates of one bank, of us, and of a stranger whom the bank does not know."""

from pathlib import Path

from gateway.net.tls import TlsClientFiles, TlsServerFiles
from tests.fakes.certificates import Authority

BANK = "bank.example"


class Papers:
    """Files of a bank, of us, and of a stranger whom the bank does not know."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = self.authority.issue("server", dns=[BANK], ips=["127.0.0.1"])
        self.client = self.authority.issue("client", uri="spiffe://example/gateway", client=True)
        self.stranger = Authority(folder, "elsewhere").issue("stranger", client=True)

    def client_files(self, pair: tuple[Path, Path] | None = None, **more: object) -> TlsClientFiles:
        certificate, key = pair or self.client
        return TlsClientFiles(certificate, key, more.pop("authority", self.authority.path), **more)  # type: ignore[arg-type]

    def server_files(self, pair: tuple[Path, Path] | None = None, **more: object) -> TlsServerFiles:
        certificate, key = pair or self.server
        return TlsServerFiles(certificate, key, self.authority.path, **more)  # type: ignore[arg-type]
