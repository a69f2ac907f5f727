"""Constrained decoding: each row of a batch may only take tokens after which its text can still become a whole answer.

The one question asked of a text is how many further characters make it match its pattern. The pattern is rewritten so
that each of its characters also matches :data:`ANY`, which stands for a character that is still to come, and is matched
with many of them behind the text: it fails where nothing can follow, and else takes as many as are wanted. So no answer
begins that cannot end within the tokens that are left, a token being one character at the least.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from math import inf
from string import ascii_letters, digits, punctuation
from typing import Any

import torch
from transformers import LogitsProcessor

from crabplus.schema import Sample
from crabplus.tasks import Pack, get_task

ANY = "\0"  # no text that is allowed has it
FAR = ANY * 1000
HALF = "\ufffd"  # what part of a character is decoded to
REASONING = r"[^<\x00]*"  # the first < begins the answer
RESERVE = 64  # tokens, at most, that are kept for the answer; never more than a third of all
SPARE = 8  # characters by which the shortest rest may be longer than it seems: what a box looks ahead for
TRIED = 32  # tokens that are sorted first
_PIECE = re.compile(
    r"(?P<sign>\(\?(?:[:=!])|[()|?*+]|\{\d+(?:,\d+)?\})|(?P<atom>\\.|\[\^?(?:\\.|[^\]\\])+\]|.)", re.DOTALL
)


def forms_of(sample: Sample, pack: Pack, reasoning: bool, constrain: bool) -> re.Pattern[str] | None:
    """The pattern of what a model may generate for a sample; None: anything.

    Args:
        sample: the question; pack: its wording.
        reasoning: whether free text may stand before the answer; if not, the text opens with a tag.
        constrain: whether the answer has to have the form that its task reads.
    """
    task = get_task(sample.task)
    if constrain:
        return re.compile((REASONING if reasoning else r"\s??") + task.form(sample, pack))
    if reasoning or not task.opening(sample):
        return None
    return re.compile(rf"\s??(?:{'|'.join(task.opening(sample))})[\s\S]*?")


class Constraint(LogitsProcessor):
    """Leaves each row the best of the tokens that it may take; for greedy decoding, as nothing else is left to sample.

    Args:
        patterns: of the whole generated text of each row, None for a free one.
        tokenizer: of the model; width: tokens of the padded prompt; stops: tokens that end a text.
        limit: tokens that are generated at most.
    """

    def __init__(
        self, patterns: Sequence[re.Pattern[str] | None], tokenizer: Any, width: int, stops: Sequence[int], limit: int
    ) -> None:
        self.width, self.stops = width, frozenset(stops)
        self.rows = [pattern and _Row(pattern, tokenizer, self.stops, limit) for pattern in patterns]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores (B, V), from which all but one token of each row that goes on is taken away."""
        kept = scores.clone()
        for number, row in enumerate(self.rows):
            ids = input_ids[number, self.width :].tolist()
            if row and self.stops.isdisjoint(ids):
                kept[number] = -torch.inf
                kept[number, row.choose(ids, scores[number])] = 0.0
        return kept


class _Row:
    """One text as it grows: which token comes next."""

    def __init__(self, pattern: re.Pattern[str], tokenizer: Any, stops: frozenset[int], limit: int) -> None:
        self.pattern, self.tokenizer, self.stops, self.limit = pattern, tokenizer, stops, limit
        self.reasons = pattern.pattern.startswith(REASONING)
        form = pattern.pattern.removeprefix(REASONING)
        self.open = re.compile(f"{REASONING if self.reasons else ''}(?:{_opened(form)})(?={ANY})")
        added = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.barred = added | set(tokenizer.all_special_ids)
        self.named = [char for char in dict.fromkeys(pattern.pattern) if ord(char) > 127]
        self.rest: list[int] = []  # tokens that come whatever the model would rather say

    def choose(self, ids: list[int], scores: Any) -> int:
        text, left = self.decode(ids), self.limit - len(ids)
        if not self.rest and self.wants(ids, text) <= left - SPARE:
            late = self.reasons and "<" not in text and left <= min(RESERVE, self.limit // 3)
            found = (token for token in _ranked(scores) if self.takes(ids, text, token, left - 1 - SPARE, late))
            if (best := next(found, None)) is not None:
                return best
        self.rest = self.rest or self.tokenizer.encode(self.shortest(text), add_special_tokens=False)
        return self.rest.pop(0) if self.rest else min(self.stops)

    def takes(self, ids: list[int], text: str, token: int, room: int, late: bool) -> bool:
        """Whether a token may come next; where it is ``late`` only one that begins the answer."""
        if token in self.stops:
            return bool(self.pattern.fullmatch(text))
        if token in self.barred or token >= len(self.tokenizer):
            return False
        longer = self.decode([*ids, token])
        return not (late and "<" not in longer) and self.wants([*ids, token], longer) <= room

    def wants(self, ids: list[int], text: str) -> float:
        """Characters that have to follow a text at the least; infinite where it can never match."""
        wanted = self.missing(text)
        if wanted < inf or not text.endswith(HALF):
            return wanted
        start = text.rstrip(HALF)  # the half character may be one that the pattern names
        for char in self.named:
            parts = self.tokenizer.encode(char, add_special_tokens=False)
            if start + char in (self.decode([*ids, *parts[n:]]) for n in range(1, len(parts))):
                wanted = min(wanted, self.missing(start + char) + len(parts))
        return wanted

    def missing(self, text: str) -> float:
        found = None if ANY in text else self.open.match(text + FAR)
        return found.end() - len(text) if found else inf

    def shortest(self, text: str) -> str:
        """The shortest rest that makes a text match."""
        letters, rest = [*ascii_letters, *digits, *punctuation, " ", *self.named], ""
        while 0 < self.missing(text + rest) < inf:
            rest += min(letters, key=lambda letter: self.missing(text + rest + letter))
        return rest

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def _ranked(scores: Any) -> Iterator[int]:
    """Tokens, the best first."""
    yield from scores.topk(min(TRIED, len(scores))).indices.tolist()
    yield from scores.argsort(descending=True)[TRIED:].tolist()


@lru_cache(maxsize=64)
def _opened(pattern: str) -> str:
    """The pattern with ANY as good as each character that it wants."""
    return _PIECE.sub(lambda piece: piece["sign"] or _or_any(piece["atom"]), pattern)


@cache
def _or_any(atom: str) -> str:
    return atom if re.fullmatch(atom, ANY) else f"(?:{atom}|{ANY})"
