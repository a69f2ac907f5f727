"""The body of a chat completion: the fields that are known, and what is refused by name."""

import json
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from crabplus.serve.limits import Refused

__all__ = ["ChatRequest", "Item", "Turn", "read_request"]

UNSUPPORTED = (
    "tools", "tool_choice", "functions", "function_call", "response_format", "logprobs", "top_logprobs", "logit_bias",
    "audio", "modalities", "presence_penalty", "frequency_penalty", "prediction", "web_search_options",
)  # fmt: skip
"""Fields of OpenAI's that would change the answer and are not done here; refused unless they say nothing."""
NOTHING: dict[str, Any] = {"modalities": ["text"], "tool_choice": "none", "response_format": {"type": "text"}}


TAKEN = ("user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier", "prompt_cache_key")
"""Fields of OpenAI's that change no answer: taken, and not used."""


def _whole(text: str) -> str:
    """Text of whole letters: JSON may hold the half of one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("there is half of a letter in it, a lone surrogate") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]


class Address(BaseModel):
    """Where a picture, a sound or a video is; ``detail`` is taken and not used."""

    model_config = ConfigDict(extra="ignore")

    url: str


class Bytes(BaseModel):
    """A sound as OpenAI's ``input_audio`` has it."""

    model_config = ConfigDict(extra="ignore")

    data: str
    format: str


class Item(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text", "image_url", "video_url", "audio_url", "input_audio"]
    text: Text | None = None
    image_url: Address | None = None
    video_url: Address | None = None
    audio_url: Address | None = None
    input_audio: Bytes | None = None

    @model_validator(mode="after")
    def _holds_what_it_is(self) -> Self:
        if getattr(self, self.type) is None:
            raise ValueError(f"a part of type {self.type} needs a field {self.type}")
        return self


class Turn(BaseModel):
    """A message."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[Item]


class StreamOptions(BaseModel):
    """What a stream says beside the text."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A request.

    Attributes:
        task: of ours, beside OpenAI's fields: a task by name or key, for which the pack words the prompt and the answer
            is read. The message then holds media, and as text the question if the task takes one.
        labels: of ours: the vocabulary to which the answer to a ``task`` is held.
    """

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: Annotated[list[Turn], Field(min_length=1)]
    max_tokens: Annotated[int | None, Field(gt=0)] = None
    max_completion_tokens: Annotated[int | None, Field(gt=0)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    seed: int | None = None
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    n: Literal[1] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    task: Text | None = None
    labels: list[Text] = []

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which the answer ends."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in found if text)


def read_request(body: bytes) -> ChatRequest:
    """The request in a body.

    Raises:
        Refused: no JSON, a field that is missing or wrong, or one that is not done here; names it.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(400, f"a JSON object wanted, got {type(content).__name__}")
    for name in UNSUPPORTED:
        if content.get(name) and content[name] != NOTHING.get(name):
            raise Refused(400, f"{name} is not supported here", param=name)
    for name, value in content.items():
        if value is not None and name not in {*ChatRequest.model_fields, *UNSUPPORTED, *TAKEN}:
            raise Refused(400, f"{name!r:.80} is no field that is known here{_near(name)}",
                          param=name.encode("ascii", "backslashreplace").decode())  # fmt: skip
    try:
        return ChatRequest.model_validate(content)
    except ValidationError as error:
        # of the forms that a field may have, that which came farthest is what was meant
        first = max(error.errors(), key=lambda found: (len(found["loc"]), found["type"] != "string_type"))
        where = ".".join(str(part) for part in first["loc"] if part != "str" and "[" not in str(part))
        raise Refused(400, f"{where}: {first['msg'].removeprefix('Value error, ')}", param=where) from None


def _near(name: str) -> str:
    near = get_close_matches(name.lower(), list(ChatRequest.model_fields), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
