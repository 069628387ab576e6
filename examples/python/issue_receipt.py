"""Issues an out-patient receipt, waits until it is sealed, and saves its proof.

    python issue_receipt.py --help

Exit code: 0 sealed and saved, 1 refused, 3 not decided in time (ask again with the same --biz-code), 4 refused because a receipt
of this payment stands already: use that one, issue nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from calling import Refusal, call, connect
from tallystick.issuer.v1 import issuer_pb2 as issuer
from tallystick.issuer.v1.issuer_pb2_grpc import IssuerServiceStub
from tallystick.receipt.v1 import receipt_pb2 as receipt


def draft_of(arguments: argparse.Namespace) -> receipt.ReceiptDraft:
    """What the hospital's system knows. The issuer adds number, check code, time and date. All amounts are integers in 分.

    Nothing in here is read from the clock: the same visit gives the same draft, also in a retry after midnight.
    """
    receipt_code = f"990601{arguments.visited:%y}"
    amount_fen: int = arguments.amount_fen
    return receipt.ReceiptDraft(
        receipt_code=receipt_code,
        receipt_name="示例省医疗门诊收费票据（电子）",
        specimen_code=f"{receipt_code}01",
        supervisor_area_code="990300",
        unit_code=arguments.unit,
        biz_code=arguments.biz_code,
        place_code="MZ-03",
        total_amount_fen=amount_fen,
        payer_type=receipt.PAYER_TYPE_INDIVIDUAL,
        payer_id_type=receipt.PAYER_ID_TYPE_RESIDENT,
        payer_code="990305199001010015",
        payer_name="林某某",
        payments=[
            receipt.Payment(
                mode=receipt.PAYMENT_MODE_WECHAT,
                amount_fen=amount_fen,
                channel_reference=f"WX-{arguments.biz_code}",
            )
        ],
        handling_person="何某",
        checker="吴某",
        ext=receipt.Extension(
            medical=receipt.MedicalExtension(
                gender="女",
                medical_type="门诊",
                patient_number="M2611020917",
                medical_date=f"{arguments.visited:%Y-%m-%d}",
                org_type="综合医院",
                medical_insurance_type="自费",
                own_pay_fen=amount_fen,
            )
        ),
        items=[
            receipt.Item(
                item_code="0602",
                item_name="诊察费",
                unit="项",
                quantity_e4=10_000,
                standard_e4=amount_fen * 100,
                amount_fen=amount_fen,
            )
        ],
    )


def issue_and_wait(stub: IssuerServiceStub, draft: receipt.ReceiptDraft, patience: float) -> issuer.GetReceiptResponse:
    """Issues, and asks until the ledger has decided or the patience is over."""
    deadline = time.monotonic() + patience
    request = issuer.IssueRequest(draft=draft, wait=issuer.WAIT_SEALED, wait_timeout_ms=10_000)
    issued = call(stub.Issue, request, patience)
    # From here on the receipt exists: print it for the patient. Keep the answer as it is, also its bytes: with the draft it
    # restores the receipt at an issuer that lost its disk. check_code and body_seed are secrets: never in a log.
    again = " (issued before)" if issued.replayed else ""
    print(f"issued {issued.receipt_code}-{issued.receipt_number} on {issued.issue_date}{again}", flush=True)
    if issued.normalised_fields:
        # What is printed and signed is the normal form: take it over where the text is kept.
        print(f"the issuer normalised {', '.join(issued.normalised_fields)}", flush=True)
    by_number = issuer.GetReceiptRequest(
        key=issuer.ReceiptKey(receipt_code=issued.receipt_code, receipt_number=issued.receipt_number)
    )
    while True:
        state = call(stub.GetReceipt, by_number, patience)
        if state.state != issuer.RECEIPT_STATE_PENDING or time.monotonic() >= deadline:
            return state
        time.sleep(0.2)


def save_documents(
    stub: IssuerServiceStub, key: issuer.ReceiptKey, formats: list[str], folder: Path, patience: float
) -> None:
    """Saves the receipt as documents. Each says what the ledger says of it at this moment: ask anew when one is wanted again."""
    for name in formats:
        request = issuer.GetDocumentRequest(key=key, format=issuer.DocumentFormat.Value(f"DOCUMENT_FORMAT_{name.upper()}"))
        answer = call(stub.GetDocument, request, patience)
        path = folder / answer.file_name
        path.write_bytes(answer.document)
        standing = issuer.Standing.Name(answer.standing).removeprefix("STANDING_")
        print(f"{standing} says {path}, {len(answer.document)} bytes, {answer.media_type}")


def what_to_do(receipt_stands: str, where: str, action: str) -> tuple[int, str]:
    """Exit code and sentence for a refusal, whether of the call or by the ledger. Only `new_biz_code` allows to issue anew."""
    find = {
        "biz_code": "GetReceipt by biz_key finds it here",
        "payment": "GetReceipt by pay code, settlement number or decision finds it here",
        "original": "GetReceipt of the original names it here",
        "other_issuer": "ask the unit's other issuers with GetReceipt, by biz_key or by payment",
        "other_place": "the unit knows it; this system may not see it",
    }.get(where, "")
    if action in ("repeat", "repeat_here"):
        return 3, "the same command again, later, at the same issuer"
    if action in ("use_receipt", "look_up") or receipt_stands == "yes":
        return 4, f"do not issue anew: a receipt stands already, or may; {find}"
    if action == "new_biz_code":
        return 1, "no receipt came of it; once the cause is mended, issue anew under a new biz_code"
    return 1, {
        "correct": "correct the request; the biz_code is still free",
        "operator": "the issuer's operator has to act",
        "authority": "the authority has to change the registry",
    }.get(action, "a person must look")


def run(arguments: argparse.Namespace) -> int:
    with connect(arguments.issuer, arguments.ca, arguments.cert, arguments.key) as channel:
        stub = IssuerServiceStub(channel)
        state = issue_and_wait(stub, draft_of(arguments), arguments.patience)
        if state.state == issuer.RECEIPT_STATE_REFUSED:
            # The number is spent. Whether to issue anew is not a matter of taste: for BIZ_CODE_USED, PAYMENT_RECEIPTED and
            # DECISION_PAID another receipt of the same payment stands.
            advice = state.refused_advice
            code, sentence = what_to_do(advice.receipt, advice.where, advice.action)
            print(f"refused on the ledger: {state.refused_reason}; {sentence}", file=sys.stderr)
            return code
        if state.state != issuer.RECEIPT_STATE_SEALED:
            print(f"still pending; ask again with --biz-code {arguments.biz_code}", file=sys.stderr)
            return 3
        answer = call(stub.GetBundle, issuer.GetBundleRequest(key=state.key), arguments.patience)
        arguments.out.write_bytes(answer.bundle)
        print(f"sealed in block {state.block_height}; proof in {arguments.out}, {len(answer.bundle)} bytes")
        save_documents(stub, state.key, arguments.document, arguments.out.parent, arguments.patience)
        return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--issuer", required=True, help="host:port of the issuer's gRPC")
    parser.add_argument("--ca", required=True, type=Path, help="authority of all certificates, PEM")
    parser.add_argument("--cert", required=True, type=Path, help="certificate of this system, PEM")
    parser.add_argument("--key", required=True, type=Path, help="its private key, PEM")
    parser.add_argument("--unit", required=True, help="统一社会信用代码 of the issuing unit")
    parser.add_argument("--biz-code", required=True, help="业务流水号: one per receipt, the same in every retry")
    parser.add_argument("--visited", required=True, type=date.fromisoformat, help="day of the visit, as stored with it")
    parser.add_argument("--amount-fen", type=int, default=2500, help="what the patient paid, in 分 (2500)")
    parser.add_argument("--out", type=Path, default=Path("receipt.tally"), help="where the proof goes (receipt.tally)")
    parser.add_argument(
        "--document",
        action="append",
        default=[],
        choices=["pdf", "ofd", "xml", "png", "slip"],
        help="save the receipt as this, too, beside the proof; may be given several times",
    )
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until giving up (60)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(run(parse()))
    except Refusal as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        code, sentence = what_to_do(refusal.receipt, refusal.where, refusal.action)
        print(sentence, file=sys.stderr)
        sys.exit(code)
