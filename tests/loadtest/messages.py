"""pain.001 messages for the bank's tests. The accounts are the IBAN registry's examples."""

from collections.abc import Sequence

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
DEBTOR = "DE89370400440532013000"
CREDITOR = "GB29NWBK60161331926819"


def transfer(
    end_to_end_id: str, instruction_id: str | None = None, amount: str = "100.00", creditor: str = "Creditor"
) -> str:
    """One CdtTrfTxInf without namespace prefix."""
    instruction = f"<InstrId>{instruction_id}</InstrId>" if instruction_id else ""
    return (
        f"<CdtTrfTxInf><PmtId>{instruction}<EndToEndId>{end_to_end_id}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">{amount}</InstdAmt></Amt><Cdtr><Nm>{creditor}</Nm></Cdtr>'
        f"<CdtrAcct><Id><IBAN>{CREDITOR}</IBAN></Id></CdtrAcct></CdtTrfTxInf>"
    )


def message(message_id: str, *groups: Sequence[str], namespace: str = NAMESPACE) -> bytes:
    """A pain.001 with one PmtInf for each group of transfers."""
    payment_informations = "".join(
        f"<PmtInf><PmtInfId>{message_id}-{number}</PmtInfId><PmtMtd>TRF</PmtMtd>"
        f"<Dbtr><Nm>Debtor</Nm></Dbtr><DbtrAcct><Id><IBAN>{DEBTOR}</IBAN></Id></DbtrAcct>"
        f"{''.join(transfers)}</PmtInf>"
        for number, transfers in enumerate(groups, start=1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{namespace}"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{message_id}</MsgId></GrpHdr>{payment_informations}</CstmrCdtTrfInitn></Document>"
    ).encode()


def single(reference: str, end_to_end_id: str | None = None, **rest: str) -> bytes:
    """A message of one transfer whose MsgId is `M-` and its wire reference."""
    return message(f"M-{reference}", [transfer(end_to_end_id or f"E-{reference}", reference, **rest)])
