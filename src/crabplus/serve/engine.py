"""Waiting requests are answered together, in one thread that has the model; words go out as they come.

Each row of a batch has its own length, temperature and end: a row whose client has gone is ended at the next token.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate.utils import send_to_device
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from crabplus.confidence import Recorder, Said
from crabplus.constrain import Constraint
from crabplus.models.head import logits_at
from crabplus.serve.limits import Refused

__all__ = ["Engine", "Job", "Wanted"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """How an answer is to be decoded; with a temperature of 0 the best token is taken."""

    limit: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()
    pattern: Any = None


@dataclass
class Job:
    """A prompt that waits or is answered.

    Attributes:
        encoded: tensors of the prompt; wanted: see there.
        tell: is called from the thread of the engine with each piece of text, and in the end with a :class:`Done` or an
            error; it must return at once.
        gone: set by whoever no longer wants the answer.
    """

    encoded: Any
    wanted: Wanted
    tell: Callable[[Any], None]
    gone: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Done:
    """The end of an answer: ``stop``, ``length`` or ``gone``, its text, how sure it was, and its number of tokens."""

    reason: str
    text: str
    said: Said
    tokens: int


class Engine:
    """Owns a model and answers jobs.

    Args:
        model: of a model family; waiting: jobs that may wait; batch: jobs answered together.
        limit: seconds that an answer may take once it has begun.
    """

    def __init__(self, model: Any, waiting: int, batch: int, limit: float) -> None:
        self.model, self.waiting, self.batch, self.limit = model, waiting, batch, limit
        self.running = self.batches = 0
        self._jobs: deque[Job] = deque()
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    @property
    def alive(self) -> bool:
        """Whether jobs are answered."""
        return self._thread.is_alive() and not self._closed

    def put(self, job: Job) -> None:
        """Answer a job when its turn comes.

        Raises:
            Refused: too many wait (429), or the server is being shut down (503).
        """
        with self._news:
            if self._closed:
                raise Refused(503, "the server is being shut down", "server_error")
            self._forget()
            if len(self._jobs) >= self.waiting:
                raise Refused(429, f"{self.waiting} requests wait already: try again in a moment", "rate_limit_error",
                              code="queue_full")  # fmt: skip
            self._jobs.append(job)
            self._news.notify()

    def close(self) -> None:
        """Answer what has begun, and nothing else."""
        with self._news:
            self._closed = True
            waiting, self._jobs = list(self._jobs), deque()
            self._news.notify()
        for job in waiting:
            job.tell(Refused(503, "the server is being shut down", "server_error"))
        self._thread.join(self.limit)

    def _forget(self) -> None:
        """Jobs whose clients have gone take no place."""
        if any(job.gone.is_set() for job in self._jobs):
            self._jobs = deque(job for job in self._jobs if not job.gone.is_set())

    def _work(self) -> None:
        while True:
            with self._news:
                while not self._jobs and not self._closed:
                    self._news.wait()
                if self._closed:
                    return
                self._forget()
                jobs = [self._jobs.popleft() for _ in range(min(self.batch, len(self._jobs)))]
            if jobs:
                self.running, self.batches = len(jobs), self.batches + 1
                self._answer(jobs)
                self.running = 0

    def _answer(self, jobs: Sequence[Job]) -> None:
        """Answer jobs together; where memory is short, one half after the other."""
        rows = [_Row(job, self.model) for job in jobs]
        try:
            _generate(self.model, rows, time.monotonic() + self.limit)
        except RuntimeError as error:
            short = should_reduce_batch_size(error)
            fresh = [row.job for row in rows if not row.ids]
            if short and len(fresh) == len(rows) > 1:
                clear_device_cache(garbage_collection=True)
                self._answer(fresh[: len(fresh) // 2])
                self._answer(fresh[len(fresh) // 2 :])
                return
            words = "the prompt does not fit into the memory of the device" if short else "something went wrong inside"
            self._fail(rows, error, words)
        except Exception as error:  # a bug must not end the server; it is told in the log, and not to clients
            self._fail(rows, error, "something went wrong inside")

    def _fail(self, rows: Sequence["_Row"], error: Exception, words: str) -> None:
        _LOG.error("a batch of %d failed", len(rows), exc_info=error)
        for row in rows:
            if not row.ended:
                row.job.tell(Refused(500, f"{words}; the log of the server says more", "server_error"))


class _Row:
    """One answer as it grows."""

    def __init__(self, job: Job, model: Any) -> None:
        self.job, self.tokenizer = job, model.processor.tokenizer
        self.ends = set(model.stop_token_ids)
        self.special = set(self.tokenizer.all_special_ids)
        self.ids: list[int] = []
        self.text = ""
        self.sent = 0
        self.counted = 0
        self.ended: str | None = None
        self._read = self._begun = 0

    def take(self, token: int, late: bool) -> None:
        """The next token of this row."""
        if self.ended:
            return
        self.counted += 1
        if self.job.gone.is_set():
            self.ended = "gone"
        elif token in self.ends:
            self.ended = "stop"
        elif self.counted >= self.job.wanted.limit or late:
            self.ended = "length"
        if token not in self.special:
            self.ids.append(token)
            self._grow()
        stop = min((at for text in self.job.wanted.stops if (at := self.text.find(text)) >= 0), default=-1)
        if stop >= 0:
            self.text, self.ended = self.text[:stop], "stop"
        self._send()

    def done(self, said: Said) -> Done:
        """How it ended."""
        return Done(str(self.ended), self.text, said, self.counted)

    def _grow(self) -> None:
        """Decode a few tokens before a new one with it: their text may change with it, and half a character waits."""
        before = self.tokenizer.decode(self.ids[self._begun : self._read])
        now = self.tokenizer.decode(self.ids[self._begun :])
        if len(now) > len(before) and not now.endswith("\ufffd"):
            new = now[len(before) :]
            self.text += new if self.text else new.lstrip()
            self._begun, self._read = self._read, len(self.ids)

    def _send(self) -> None:
        """Tell what is new, but for what may still become a text to stop at."""
        held = 0 if self.ended else max((len(text) - 1 for text in self.job.wanted.stops), default=0)
        upto = max(self.sent, len(self.text) - held)
        if upto > self.sent:
            self.job.tell(self.text[self.sent : upto])
            self.sent = upto


class _Watch(StoppingCriteria):
    """Hands each new token to its row, and says which rows have ended."""

    def __init__(self, rows: Sequence[_Row], recorder: Recorder, deadline: float) -> None:
        self.rows, self.recorder, self.deadline = rows, recorder, deadline

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """Bool (B,)."""
        late = time.monotonic() > self.deadline
        for number, (row, token) in enumerate(zip(self.rows, input_ids[:, -1].tolist(), strict=True)):
            if not row.ended:
                row.take(token, late)
                if row.ended:
                    row.job.tell(row.done(self.recorder.row(number, row.ids, row.tokenizer)))
        return torch.tensor([bool(row.ended) for row in self.rows], device=input_ids.device)


class _Sampler(LogitsProcessor):
    """Leaves of each row with a temperature the token that was drawn, by the largest of logits with Gumbel noise."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.wanted = wanted
        self.generators = [torch.Generator() for _ in wanted]
        for one, generator in zip(wanted, self.generators, strict=True):
            generator.manual_seed(one.seed) if one.seed is not None else generator.seed()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores (B, V); the best of a row is the one that was drawn."""
        out = scores.clone()
        for number, (one, generator) in enumerate(zip(self.wanted, self.generators, strict=True)):
            if one.temperature > 0:
                logs = torch.log_softmax(scores[number].float() / one.temperature, -1).cpu()
                ordered, places = logs.sort(descending=True)
                kept = ordered.exp().cumsum(-1) - ordered.exp() < one.top_p
                noise = -torch.log(-torch.log(torch.rand(len(logs), generator=generator).clamp(1e-9, 1 - 1e-7)))
                drawn = places[torch.where(kept, ordered + noise, -torch.inf).argmax()]
                out[number] = -torch.inf
                out[number, drawn] = 0
        return out


@torch.inference_mode()
def _generate(model: Any, rows: Sequence[_Row], deadline: float) -> None:
    """One left-padded batch, until every row has ended."""
    wanted = [row.job.wanted for row in rows]
    batch = send_to_device(model.collate([row.job.encoded for row in rows], side="left"), model.device)
    del batch["labels"]
    width, tokenizer, stops = batch["input_ids"].shape[1], model.processor.tokenizer, model.stop_token_ids
    limit, patterns = max(one.limit for one in wanted), [one.pattern for one in wanted]
    processors: list[LogitsProcessor] = [Constraint(patterns, tokenizer, width, stops, limit)] if any(patterns) else []
    processors += [_Sampler(wanted)] if any(one.temperature for one in wanted) else []
    recorder = Recorder(processors)
    with logits_at(model.head, None):
        model.thinker.generate(
            **batch, max_new_tokens=limit, do_sample=False, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id,
            logits_processor=LogitsProcessorList([recorder]),
            stopping_criteria=StoppingCriteriaList([_Watch(rows, recorder, deadline)]),
        )  # fmt: skip
