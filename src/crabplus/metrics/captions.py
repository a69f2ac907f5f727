"""Caption metrics of VALOR: BLEU, ROUGE-L and CIDEr-D as coco-caption takes them, and METEOR where Java is there."""

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crabplus.metrics.meteor import absent_parts, meteor, ptb_tokens

__all__ = [
    "Tokenizer",
    "absent_parts",
    "bleu",
    "bleu_counts",
    "caption_scores",
    "cider_d",
    "plain_tokens",
    "rouge_l",
    "video_scores",
]

Tokenizer = Literal["plain", "ptb"]
Tokens = Sequence[str]
Gram = tuple[str, ...]

ORDERS = range(1, 5)
"""Lengths n of the n-grams."""
WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['-][^\W_]+)*")


def caption_scores(
    said: Sequence[str | None], references: Sequence[Sequence[str]], tokenizer: Tokenizer = "plain"
) -> dict[str, float | None]:
    """Score one caption a video: ``bleu_1`` .. ``bleu_4``, ``rouge_l``, ``cider_d`` and ``meteor`` of the whole set.

    BLEU, ROUGE-L and METEOR lie in 0..1, CIDEr-D in 0..10 (papers print all of them times 100; a CIDEr of 61.5 there
    is 0.615 here). Formulas: :func:`bleu`, :func:`rouge_l`, :func:`cider_d`, :func:`~crabplus.metrics.meteor.meteor`.
    Source: TXH-mercury/VALOR, ``cococaption/pycocoevalcap/eval.py``; the same scorers are in salaniz/pycocoevalcap.
    Unlike there, a video without a caption is not left out: it counts as an empty one.

    CIDEr-D and BLEU depend on the set as a whole, so the score of a subset is not that of its part in the whole.

    Args:
        said: N captions; None and a caption without a word are empty ones, which stay in every mean.
        references: for each of the N videos at least one true caption with a word in it; a wordless one beside it
            counts as a reference that nothing can match.
        tokenizer: ``plain`` is :func:`plain_tokens`; no Java is started and ``meteor`` is None. ``ptb`` is the official
            chain, tokenizer and METEOR, and needs Java and ``pycocoevalcap``: :func:`absent_parts` names what lacks.
            The two split a few captions differently, so name the tokenizer beside the numbers.

    Raises:
        ValueError: no video, another number of captions than of reference lists, a video without a worded reference,
            something that is no text, or an unknown tokenizer.
        RuntimeError: ``ptb`` where Java or the package is absent, or where the Java program failed.
    """
    captions, truth = _split(said, references, tokenizer)
    return {
        **bleu(bleu_counts(captions, truth)),
        "rouge_l": float(rouge_l(captions, truth).mean()),
        "cider_d": float(cider_d(captions, truth).mean()),
        "meteor": meteor(captions, truth) if tokenizer == "ptb" else None,
    }


def video_scores(
    said: Sequence[str | None], references: Sequence[Sequence[str]], tokenizer: Tokenizer = "plain"
) -> dict[str, NDArray[np.float64]]:
    """Score each video: (N,) ``rouge_l`` and ``cider_d``, whose means are those of :func:`caption_scores`.

    A bootstrap can draw from them; CIDEr-D then keeps the document frequencies of the whole set. BLEU and METEOR are no
    means over videos; for BLEU, draw rows of :func:`bleu_counts` and hand them to :func:`bleu`. Arguments and errors
    as for :func:`caption_scores`.
    """
    captions, truth = _split(said, references, tokenizer)
    return {"rouge_l": rouge_l(captions, truth), "cider_d": cider_d(captions, truth)}


def plain_tokens(text: str) -> list[str]:
    """Split a caption into words in lower case without punctuation.

    A word is a run of letters and digits; hyphens and apostrophes stay inside a word, points and commas between digits.
    ``A man's dog, 2.5 m off!`` becomes ``a man's dog 2.5 m off``. This is crabplus's own rule: the official PTB
    tokenizer also splits ``man 's`` and ``do n't``, and keeps signs such as ``&``. Scripts without spaces stay whole.
    """
    return WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def bleu_counts(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> NDArray[np.int64]:
    """Count what BLEU needs of each video; all of it adds up over videos.

    An n-gram of the caption is matched as often as it occurs in the caption, but at most as often as in the reference
    that has it most. The reference length is the one closest to the caption's, the shorter of two equally close.

    Args:
        said: N captions as tokens.
        references: for each of the N videos, its true captions as tokens.

    Returns:
        (N, 10): tokens of the caption, tokens of the closest reference, matched 1- to 4-grams, 1- to 4-grams said.

    Raises:
        ValueError: as for :func:`caption_scores`.
    """
    _check(said, references)
    rows = []
    for caption, truth in zip(said, references, strict=True):
        length = len(caption)
        _, closest = min((abs(len(reference) - length), len(reference)) for reference in truth)
        offered = [max(length - n + 1, 0) for n in ORDERS]
        rows.append([length, closest, *(_matched(caption, truth, n) for n in ORDERS), *offered])
    return np.array(rows, dtype=np.int64)


def _matched(caption: Tokens, references: Sequence[Tokens], n: int) -> int:
    most: Counter[Gram] = Counter()
    for reference in references:
        most |= _grams(reference, n)  # of each n-gram the larger count
    return (_grams(caption, n) & most).total()


def bleu(counts: ArrayLike) -> dict[str, float]:
    """Corpus BLEU ``bleu_1`` .. ``bleu_4``, 0..1, from the counts of each video.

    With c, r the summed lengths of captions and closest references, m_i and g_i the summed matched and said i-grams::

        bleu_n = min(1, e^(1 - 1 / q)) * prod_{i <= n} ((m_i + 1e-15) / (g_i + 1e-9)) ^ (1 / n)
        q = (c + 1e-15) / (r + 1e-9)

    Source: salaniz/pycocoevalcap, ``bleu/bleu_scorer.py`` (``compute_score`` with ``closest``). The small constants
    keep it defined: no match gives a number near 0, a perfect set one just below 1, and perfect captions of two words,
    which have no longer n-grams, have bleu_3 0.01 and bleu_4 0.001 instead of 0 / 0. All captions empty: 0.

    Args:
        counts: (N, 10) from :func:`bleu_counts`, or any draw of its rows.

    Raises:
        ValueError: another shape, or no row.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 10 or not len(table):
        raise ValueError(f"bleu: counts (N, 10) of at least one video wanted, got shape {table.shape}")
    length, closest, *both = table.sum(axis=0).tolist()
    matched, offered = np.array(both).reshape(2, 4)
    ratio = (length + 1e-15) / (closest + 1e-9)
    brevity = exp(min(0.0, 1.0 - 1.0 / ratio))
    products = np.cumprod((matched + 1e-15) / (offered + 1e-9)).tolist()
    return {f"bleu_{n}": brevity * product ** (1 / n) for n, product in zip(ORDERS, products, strict=True)}


def rouge_l(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> NDArray[np.float64]:
    """ROUGE-L of each video, (N,), 0..1, from the longest common subsequence L of caption and reference.

    ``(1 + b^2) P R / (R + b^2 P)`` with b = 1.2, ``P = max L / len(caption)`` and ``R = max L / len(reference)``, where
    each maximum runs over the references for itself, so P and R may come from different ones. 0 where nothing is
    shared or the caption is empty. Source: salaniz/pycocoevalcap, ``rouge/rouge.py`` (which takes an empty text for one
    empty word, so that an empty caption matches an empty reference; here it matches nothing).

    Args and errors as for :func:`bleu_counts`.
    """
    _check(said, references)
    return np.array([_rouge(caption, truth) for caption, truth in zip(said, references, strict=True)])


def _rouge(caption: Tokens, references: Sequence[Tokens]) -> float:
    shared = [(_common(caption, reference), len(reference)) for reference in references if reference]
    precision = max(common for common, _ in shared) / max(len(caption), 1)
    recall = max(common / length for common, length in shared)
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision) if precision else 0.0


def _common(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence, a whole row of its table at a time.

    Bit i of ``row`` is 0 where the length grows from ``first[:i]`` to ``first[:i + 1]``. Source: Hyyrö, Bit-parallel
    LCS-length computation revisited (2004).
    """
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    whole = row = (1 << len(first)) - 1
    for word in second:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & whole
    return len(first) - row.bit_count()


def cider_d(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> NDArray[np.float64]:
    """CIDEr-D of each video, (N,), 0..10: how alike caption and references are in the n-grams that tell videos apart.

    An n-gram w weighs ``g(w) = count(w) (log N - log max(1, df(w)))``, where df counts the videos with w in any of
    their references: frequencies come from the set that is scored. Of caption c and reference r of video v::

        sim_n(c, r) = e^(-(len c - len r)^2 / (2 6^2)) sum_w min(g_c(w), g_r(w)) g_r(w) / (|g_c| |g_r|)
        cider_d(v) = 10 * mean over n = 1..4 and over references of sim_n

    Source: salaniz/pycocoevalcap, ``cider/cider_scorer.py`` (called CIDEr there; clipping and length penalty make it
    the D variant). A vector of length 0 gives 0: with one video log N = 0 and all scores are 0, and texts of fewer than
    4 words reach less than 10 even when they are equal.

    Args and errors as for :func:`bleu_counts`.
    """
    _check(said, references)
    scores: NDArray[np.float64] = np.mean([_cider_order(said, references, n) for n in ORDERS], axis=0) * 10
    return scores


def _cider_order(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]], n: int) -> NDArray[np.float64]:
    """(N,) mean over references of sim_n."""
    videos = Counter(gram for truth in references for gram in {g for tokens in truth for g in _grams(tokens, n)})
    unseen = log(len(said))
    rarity = {gram: unseen - log(count) for gram, count in videos.items()}

    def weights(tokens: Tokens) -> dict[Gram, float]:
        return {gram: count * rarity.get(gram, unseen) for gram, count in _grams(tokens, n).items()}

    scores = []
    for caption, truth in zip(said, references, strict=True):
        of_caption = weights(caption)
        alike = [
            exp(-((len(caption) - len(tokens)) ** 2) / (2 * 6**2)) * _clipped_cosine(of_caption, weights(tokens))
            for tokens in truth
        ]
        scores.append(sum(alike) / len(alike))
    return np.array(scores)


def _clipped_cosine(said: dict[Gram, float], true: dict[Gram, float]) -> float:
    shared = sum(min(weight, true[gram]) * true[gram] for gram, weight in said.items() if gram in true)
    lengths = (sqrt(sum(weight * weight for weight in vector.values())) for vector in (said, true))
    return shared / (next(lengths) * next(lengths)) if shared else 0.0


def _grams(tokens: Tokens, n: int) -> Counter[Gram]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def _split(
    said: Sequence[str | None], references: Sequence[Sequence[str]], tokenizer: Tokenizer
) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Tokens of captions and references, split in one go."""
    if tokenizer not in ("plain", "ptb"):
        raise ValueError(f"captions: tokenizer plain or ptb wanted, got {tokenizer!r}")
    texts = ["" if caption is None else caption for caption in said]
    for i, truth in enumerate(references):
        if isinstance(truth, str):
            raise ValueError(f"captions: a list of references wanted for video {i}, got the text {truth!r}")
        texts.extend(truth)
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"captions: texts wanted, got {text!r}")
    tokens = iter(ptb_tokens(texts) if tokenizer == "ptb" else map(plain_tokens, texts))
    captions = [next(tokens) for _ in said]
    return captions, [[next(tokens) for _ in truth] for truth in references]


def _check(said: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> None:
    if not len(said) or len(said) != len(references):
        counts = f"{len(said)} captions and {len(references)} lists of references"
        raise ValueError(f"captions: one caption and one list of references for each video wanted, got {counts}")
    for i, (caption, truth) in enumerate(zip(said, references, strict=True)):
        if isinstance(caption, str) or isinstance(truth, str) or any(isinstance(tokens, str) for tokens in truth):
            raise ValueError(f"captions: lists of tokens wanted, got a text for video {i}")
        if not any(truth):
            raise ValueError(f"captions: at least one reference with a word in it wanted for video {i}, got {truth!r}")
