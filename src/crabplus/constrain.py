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
_PARTS = re.compile(r"(?P<sign>\(\?[:=]|[()|?*+]|\{\d+(?:,\d+)?\})|\\.|\[\^?(?:\\.|[^\]\\])+\]|.", re.DOTALL)


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
    opening = "|".join(task.opening(sample))
    return None if reasoning or not opening else re.compile(rf"\s??(?:{opening})[\s\S]*?")


class Constraint(LogitsProcessor):
    """Leaves each row the best of the tokens that it may take; for greedy decoding, as nothing else is left to sample.

    Args:
        patterns: of the whole generated text of each row, None for a free one; see :mod:`crabplus.tasks.forms`.
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
        reasoning = REASONING if pattern.pattern.startswith(REASONING) else ""
        self.reserve = min(RESERVE, limit // 3) if reasoning else 0
        self.open = re.compile(f"{reasoning}(?:{_opened(pattern.pattern.removeprefix(REASONING))})(?={ANY})")
        parts = dict.fromkeys(part[0] for part in _PARTS.finditer(pattern.pattern))
        self.named = [char for char in parts if char[0] > "\x7f"]
        self.rest: list[int] = []  # tokens that come whatever the model would rather say

    def choose(self, ids: list[int], scores: Any) -> int:
        text, left = self.decode(ids), self.limit - len(ids)
        if not self.rest and self.wants(ids, text) <= left - SPARE:
            for token in self.ranked(text, scores, begin="<" not in text and left <= self.reserve):
                if token in self.stops or self.wants([*ids, token], self.decode([*ids, token])) < left - SPARE:
                    return token
        if not self.rest:
            start, parts = min(self.ends(ids, text), key=lambda end: self.missing(end[0]))
            self.rest = [*parts, *self.encode(self.shortest(start))]
        return self.rest.pop(0) if self.rest else min(self.stops)

    def ranked(self, text: str, scores: Any, begin: bool) -> Iterator[int]:
        """Tokens that may follow, judged by their first character, the best first; ``begin``: the answer, now."""
        follows = cache(lambda char: char == HALF or text.endswith(HALF) or self.missing(text + char) < inf)
        for count in (TRIED, len(scores)):
            for token in scores.topk(min(count, len(scores))).indices.tolist():
                piece = _piece(self.tokenizer, token)
                if token in self.stops:
                    fits = bool(self.pattern.fullmatch(text))
                else:
                    fits = bool(piece) and ("<" in piece or not begin) and follows(piece[0])
                if fits:
                    yield token

    def wants(self, ids: list[int], text: str) -> float:
        """Characters that have to follow a text at the least; infinite where it can never match."""
        return min(self.missing(start) + len(parts) for start, parts in self.ends(ids, text))

    def ends(self, ids: list[int], text: str) -> Iterator[tuple[str, list[int]]]:
        """The text; if it ends in half a character, also with each of the pattern's, and the tokens that lack."""
        yield text, []
        for char in self.named if text.endswith(HALF) else ():
            parts = self.encode(char)
            for n in range(1, len(parts)):
                if self.decode([*ids, *parts[n:]]) == text[:-1] + char:
                    yield text[:-1] + char, parts[n:]

    def missing(self, text: str) -> float:
        found = None if ANY in text else self.open.match(text + FAR)
        return found.end() - len(text) if found else inf

    def shortest(self, text: str) -> str:
        """The shortest rest that makes a text match."""
        letters, rest = [*ascii_letters, *digits, *punctuation, " ", *self.named], ""
        while 0 < self.missing(text + rest) < inf:
            rest += min(letters, key=lambda letter: self.missing(text + rest + letter))
        return rest

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


@cache
def _piece(tokenizer: Any, token: int) -> str:
    """What a token adds to a text; nothing if it is special, or only a place in the model's head."""
    before = tokenizer.encode("x", add_special_tokens=False)
    return str(tokenizer.decode([*before, token], skip_special_tokens=True)[1:])


@lru_cache(maxsize=64)
def _opened(pattern: str) -> str:
    """The pattern with ANY as good as each character that it wants."""
    return _PARTS.sub(lambda p: p[0] if p["sign"] or re.fullmatch(p[0], ANY) else f"(?:{p[0]}|{ANY})", pattern)
