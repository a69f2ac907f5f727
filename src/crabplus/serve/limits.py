"""What clients may ask for, and how they are told that they may not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Limits", "Refused"]


class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP; kind, code: as OpenAI names errors; param: the field that is meant.
    """

    def __init__(self, status: int, message: str, kind: str = "invalid_request_error", param: str | None = None,
                 code: str | None = None) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.kind, self.param, self.code = status, kind, param, code

    def body(self) -> dict[str, Any]:
        """The error as OpenAI's clients read it."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Limits:
    """Limits of the endpoint.

    Attributes:
        waiting: requests that wait for the model, beside the batch that is answered; batch: requests answered together.
        body: bytes of one request; room: bytes of all requests that are being read.
        media, messages: of one request. text: letters of all its text.
        stall: seconds without a byte from a client, or without one taken by it.
        answer: seconds that the model may take.
        folder: from which ``file:`` addresses may be read; None: from nowhere.
        keys: of the API; without any the endpoint is open.
    """

    waiting: int = 64
    batch: int = 8
    body: int = 64 * 10**6
    room: int = 10**9
    media: int = 16
    messages: int = 64
    text: int = 20_000
    stall: float = 30.0
    answer: float = 300.0
    folder: Path | None = None
    keys: tuple[str, ...] = field(default=(), repr=False)
