"""Calls that end in an answer or in a Refusal, and are repeated only where that helps.

Every refusal of Tallystick is a gRPC status with google.rpc.ErrorInfo (a stable reason to match on, and in its metadata what the
refusal means for the receipt), google.rpc.BadRequest where fields are at fault, and google.rpc.RetryInfo exactly where the same
request may succeed later.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

Answer = TypeVar("Answer", bound=Message)

ERROR_DOMAIN = "tallystick"
# One attempt. Longer than the longest wait that a request may ask for (60 s).
ATTEMPT_SECONDS = 70.0
# Between attempts when nobody said how long to wait: the issuer is away, or its answer was lost.
AWAY_SECONDS = 1.0
# The status, without a reason of ours, of a call that may or may not have arrived.
UNKNOWN_OUTCOMES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class Refusal(Exception):
    """Why a call was refused. `reason` is stable: match on it, never on the message.

    `receipt` ("yes", "no", "unknown") says whether a receipt stands, `where` where it is found, `action` what to do; `facts` name it
    (receipt_code, receipt_number, biz_code) where this system may see it. Look at `action` before anything is issued for the same
    payment: all texts are in docs/spec/reasons.md.
    """

    def __init__(self, error: grpc.RpcError, request_id: str) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.request_id = request_id
        self.reason = ""
        # What a call without an answer means: it may have been carried out, and only this issuer can tell.
        self.receipt, self.where, self.action = "unknown", "biz_code", "repeat_here"
        self.facts: dict[str, str] = {}
        self.fields: list[tuple[str, str]] = []
        self.retry_after_seconds: float | None = None
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            self._read(detail)
        super().__init__(str(self))

    def _read(self, detail: Message) -> None:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if detail.Unpack(info) and info.domain == ERROR_DOMAIN:
            self.reason = info.reason
            self.facts = dict(info.metadata)
            # A word that is missing means as little as one that is not known.
            self.receipt = self.facts.pop("receipt", "unknown")
            self.where = self.facts.pop("where", "nowhere")
            self.action = self.facts.pop("action", "look_up")
        elif detail.Unpack(bad):
            self.fields = [(each.field, each.description) for each in bad.field_violations]
        elif detail.Unpack(retry):
            self.retry_after_seconds = retry.retry_delay.ToTimedelta().total_seconds()

    def pause_seconds(self) -> float | None:
        """How long to wait before the same request; None: it does not succeed as things stand, `action` says what to do."""
        if not self.reason and self.code in UNKNOWN_OUTCOMES:
            return AWAY_SECONDS
        return self.retry_after_seconds

    def __str__(self) -> str:
        lines = [f"{self.reason or self.code.name}: {self.message} (request {self.request_id})"]
        lines.append(f"  receipt: {self.receipt}, where: {self.where}, action: {self.action}")
        lines += [f"  {key}: {value}" for key, value in sorted(self.facts.items())]
        return "\n".join(lines + [f"  {field}: {problem}" for field, problem in self.fields])


def connect(address: str, authorities: Path, certificate: Path, key: Path) -> grpc.Channel:
    """A connection over mutual TLS: the certificate names the system that calls."""
    credentials = grpc.ssl_channel_credentials(authorities.read_bytes(), key.read_bytes(), certificate.read_bytes())
    # A bundle may be larger than the 4 MiB that gRPC takes by default.
    return grpc.secure_channel(address, credentials, [("grpc.max_receive_message_length", 16 << 20)])


def call(method: Callable[..., Answer], request: Message, patience_seconds: float) -> Answer:
    """Calls, and repeats the same request while that may help. Raises Refusal.

    Repeating is safe: the issuer knows a receipt by unit_code and biz_code, and answers the second call with the first
    receipt. So never make a new biz_code for a retry. Repeat at the same issuer: only it knows what became of a call without an
    answer.
    """
    deadline = time.monotonic() + patience_seconds
    request_id = uuid.uuid4().hex  # stands in the issuer's log: name it when you ask its operator
    while True:
        try:
            return method(request, timeout=ATTEMPT_SECONDS, metadata=[("x-request-id", request_id)])
        except grpc.RpcError as error:
            refusal = Refusal(error, request_id)
            pause = refusal.pause_seconds()
            if pause is None or time.monotonic() + pause > deadline:
                raise refusal from None
            time.sleep(pause)
