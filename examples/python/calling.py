"""Calls that end in an answer or in a Refusal, and are repeated only where that helps.

Every refusal of Tallystick is a gRPC status with google.rpc.ErrorInfo (a stable reason to match on), google.rpc.BadRequest
where fields are at fault, and google.rpc.RetryInfo exactly where the same request may succeed later.
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
# The status of a call that may or may not have arrived.
UNKNOWN_OUTCOMES = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class Refusal(Exception):
    """Why a call was refused. `reason` is stable: match on it, never on the message."""

    def __init__(self, error: grpc.RpcError, request_id: str) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details() or ""
        self.request_id = request_id
        self.reason = ""
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
        elif detail.Unpack(bad):
            self.fields = [(each.field, each.description) for each in bad.field_violations]
        elif detail.Unpack(retry):
            self.retry_after_seconds = retry.retry_delay.ToTimedelta().total_seconds()

    def pause_seconds(self) -> float | None:
        """How long to wait before the same request; None: it never succeeds, a person must look."""
        if self.retry_after_seconds is None and self.code in UNKNOWN_OUTCOMES:
            return AWAY_SECONDS
        return self.retry_after_seconds

    def __str__(self) -> str:
        lines = [f"{self.reason or self.code.name}: {self.message} (request {self.request_id})"]
        return "\n".join(lines + [f"  {field}: {problem}" for field, problem in self.fields])


def connect(address: str, authorities: Path, certificate: Path, key: Path) -> grpc.Channel:
    """A connection over mutual TLS: the certificate names the system that calls."""
    credentials = grpc.ssl_channel_credentials(authorities.read_bytes(), key.read_bytes(), certificate.read_bytes())
    # A bundle may be larger than the 4 MiB that gRPC takes by default.
    return grpc.secure_channel(address, credentials, [("grpc.max_receive_message_length", 16 << 20)])


def call(method: Callable[..., Answer], request: Message, patience_seconds: float) -> Answer:
    """Calls, and repeats the same request while that may help. Raises Refusal.

    Repeating is safe: the issuer knows a receipt by unit_code and biz_code, and answers the second call with the first
    receipt. So never make a new biz_code for a retry.
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
