"""One completion: what the model is given, and its answer in OpenAI's forms."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crabplus.confidence import answer_span, with_confidence
from crabplus.constrain import forms_of
from crabplus.media import MediaError
from crabplus.models.source import Files
from crabplus.schema import to_json
from crabplus.serve.engine import Done, Wanted
from crabplus.serve.limits import Refused
from crabplus.serve.prompt import Prompt, in_request
from crabplus.serve.request import ChatRequest
from crabplus.tasks import Pack, get_task

__all__ = ["Completion"]


@dataclass(frozen=True)
class Completion:
    """A request that was read and encoded."""

    request: ChatRequest
    prompt: Prompt
    pack: Pack
    name: str
    encoded: Any
    wanted: Wanted
    id: str
    created: int

    @classmethod
    def of(cls, request: ChatRequest, prompt: Prompt, plus: Any, name: str, folder: Path) -> "Completion":
        """Encode the prompt of a request.

        Raises:
            Refused: media that cannot be decoded, text that cannot be asked, more tokens than the model takes.
        """
        model, pack = plus.model, plus.pack
        try:
            encoded = model.encode(prompt.messages, Files(), None)
        except (MediaError, ValueError) as error:
            raise Refused(400, in_request(str(error), folder)) from None
        limit = request.max_completion_tokens or request.max_tokens or pack.max_new_tokens
        tokens, most = len(encoded["input_ids"]), model.base.config.get_text_config().max_position_embeddings
        if tokens + limit > most:
            raise Refused(400, f"{tokens} tokens of prompt and {limit} of answer are more than the {most} that this "
                               "model takes", param="messages", code="context_length_exceeded")  # fmt: skip
        sample = prompt.sample
        held = sample is not None and bool(request.labels)
        wanted = Wanted(
            limit, request.temperature or 0.0, request.top_p or 1.0, request.seed, request.stops,
            forms_of(sample, pack, True, True) if sample is not None and held else None,
        )  # fmt: skip
        return cls(request, prompt, pack, name, encoded, wanted, f"chatcmpl-{uuid.uuid4().hex}", int(time.time()))

    def whole(self, done: Done) -> dict[str, Any]:
        """The completion as one object; of a task it has its answer under ``crabplus``."""
        message = {"role": "assistant", "content": done.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(done)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage(done), **self._read(done)}

    def first(self) -> dict[str, Any]:
        """The first chunk of a stream."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """A chunk with more of the text."""
        return self._chunk({"content": text})

    def last(self, done: Done) -> Iterator[dict[str, Any]]:
        """What ends a stream: the reason, and the numbers of tokens if they are wanted."""
        yield {**self._chunk({}, _reason(done)), **self._read(done)}
        if self.request.stream_options and self.request.stream_options.include_usage:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage(done)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.name}

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _usage(self, done: Done) -> dict[str, int]:
        prompt = len(self.encoded["input_ids"])
        return {"prompt_tokens": prompt, "completion_tokens": done.tokens, "total_tokens": prompt + done.tokens}

    def _read(self, done: Done) -> dict[str, Any]:
        """The answer to a task, as predictions have it."""
        sample = self.prompt.sample
        if sample is None:
            return {}
        task, said = get_task(sample.task), done.said
        found = task.read(done.text, sample, self.pack)
        answer = found.answer and with_confidence(found.answer, said.text, said.confidence, task, sample, self.pack)
        sure = said.confidence(answer_span(said.text)) if answer else None
        cut = "it was cut off where its tokens end, so it may lack something" if _reason(done) == "length" else None
        read = {"task": sample.task, "answer": answer and json.loads(to_json(answer)), "reasoning": found.reasoning,
                "reason": "; ".join(filter(None, (found.reason, cut))) or None, "confidence": sure}  # fmt: skip
        return {"crabplus": read}


def _reason(done: Done) -> str:
    return "length" if done.reason == "length" else "stop"
