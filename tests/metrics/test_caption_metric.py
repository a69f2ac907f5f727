"""Caption metrics: values by hand, the formulas written out slowly as reference, and Java played by a small script."""

import math
import random
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from crabplus.metrics import captions, meteor
from crabplus.metrics.captions import caption_scores, plain_tokens, video_scores

BLEU = ["bleu_1", "bleu_2", "bleu_3", "bleu_4"]


# The formulas, slowly: lists of n-grams, no counters, no shared code.


def ngrams(tokens: list[str], n: int) -> list[str]:
    return [" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def slow_bleu(said: list[list[str]], references: list[list[list[str]]]) -> list[float]:
    length = sum(len(caption) for caption in said)
    closest = 0
    for caption, truth in zip(said, references, strict=True):
        gap = min(abs(len(reference) - len(caption)) for reference in truth)
        closest += min(len(reference) for reference in truth if abs(len(reference) - len(caption)) == gap)
    ratio = (length + 1e-15) / (closest + 1e-9)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    scores, fit = [], 1.0
    for n in range(1, 5):
        right = total = 0
        for caption, truth in zip(said, references, strict=True):
            grams = ngrams(caption, n)
            total += len(grams)
            for gram in set(grams):
                right += min(grams.count(gram), max(ngrams(reference, n).count(gram) for reference in truth))
        fit *= (right + 1e-15) / (total + 1e-9)
        scores.append(brevity * fit ** (1 / n))
    return scores


def slow_common(first: list[str], second: list[str]) -> int:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, j in product(range(len(first)), range(len(second))):
        table[i + 1][j + 1] = table[i][j] + 1 if first[i] == second[j] else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def slow_rouge(caption: list[str], truth: list[list[str]]) -> float:
    shared = [slow_common(caption, reference) for reference in truth]
    if not max(shared):
        return 0.0
    precision = max(common / len(caption) for common in shared)
    recall = max(common / len(reference) for common, reference in zip(shared, truth, strict=True) if reference)
    return 2.44 * precision * recall / (recall + 1.44 * precision)


def slow_cider(said: list[list[str]], references: list[list[list[str]]]) -> list[float]:
    def vector(tokens: list[str], n: int, words: list[str]) -> np.ndarray:
        grams = ngrams(tokens, n)
        met = [max(1, sum(any(w in ngrams(r, n) for r in truth) for truth in references)) for w in words]
        return np.array([grams.count(w) * math.log(len(said) / df) for w, df in zip(words, met, strict=True)])

    scores = []
    for caption, truth in zip(said, references, strict=True):
        total = 0.0
        for n, reference in product(range(1, 5), truth):
            words = sorted({*ngrams(caption, n), *ngrams(reference, n)})
            own, true = vector(caption, n, words), vector(reference, n, words)
            size = np.linalg.norm(own) * np.linalg.norm(true)
            gap = len(caption) - len(reference)
            if size:
                total += math.exp(-gap * gap / 72) * (np.minimum(own, true) * true).sum() / size
        scores.append(10 * total / 4 / len(truth))
    return scores


def random_set(seed: int) -> tuple[list[str | None], list[list[str]]]:
    """1 to 5 videos, 1 to 4 references of 1 to 9 words of a vocabulary of 2 to 6, captions of 0 to 9 words."""
    draw = random.Random(seed)
    words = "abcdef"[: draw.randint(2, 6)]

    def text(least: int) -> str:
        return " ".join(draw.choice(words) for _ in range(draw.randint(least, 9)))

    references = [[text(1) for _ in range(draw.randint(1, 4))] for _ in range(draw.randint(1, 5))]
    said = [draw.choice([text(0), text(1), truth[-1], None]) for truth in references]
    if draw.random() < 0.2:
        references[0].append("")
    return said, references


@pytest.mark.parametrize("block", range(4))
def test_equals_the_formulas_written_out(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        said, references = random_set(seed)
        tokens, truth = (
            [(caption or "").split() for caption in said],
            [[r.split() for r in refs] for refs in references],
        )
        scores, each = caption_scores(said, references), video_scores(said, references)
        rouge = [slow_rouge(caption, refs) for caption, refs in zip(tokens, truth, strict=True)]
        cider = slow_cider(tokens, truth)
        assert [scores[name] for name in BLEU] == pytest.approx(slow_bleu(tokens, truth), abs=1e-12), seed
        assert each["rouge_l"] == pytest.approx(rouge, abs=1e-12), seed
        assert each["cider_d"] == pytest.approx(cider, abs=1e-12), seed
        assert scores["rouge_l"] == pytest.approx(np.mean(rouge)) and scores["cider_d"] == pytest.approx(np.mean(cider))


# By hand.


def test_bleu_by_hand() -> None:
    """``a b c d`` against ``a b d d d``: 1-grams a b d of 4, 2-grams ab of 3, no longer ones; 4 words against 5."""
    scores = caption_scores(["A b c d."], [["a b d d d"]])
    short = math.exp(1 - 5 / 4)
    assert scores["bleu_1"] == pytest.approx(short * 3 / 4)
    assert scores["bleu_2"] == pytest.approx(short * (3 / 4 * 1 / 3) ** 0.5)
    assert scores["bleu_3"] == pytest.approx(short * (1 / 4 * 1e-15 / 2) ** (1 / 3))
    assert scores["bleu_4"] == pytest.approx(short * (1 / 4 * 1e-15 / 2 * 1e-15 / 1) ** (1 / 4))


def test_bleu_clips_by_the_reference_that_has_most() -> None:
    """``the`` three times: at most two in one reference, not 1 + 2 together."""
    counts = captions.bleu_counts([["the"] * 3], [[["the", "dog"], ["the", "old", "the"]]])
    assert counts.tolist() == [[3, 3, 2, 0, 0, 0, 3, 2, 1, 0]]


@pytest.mark.parametrize(("lengths", "closest"), [((3, 5), 3), ((5, 3), 3), ((1, 6), 6), ((2, 9, 4), 4)])
def test_closest_length_and_the_shorter_on_a_tie(lengths: tuple[int, ...], closest: int) -> None:
    counts = captions.bleu_counts([list("abcd")], [[["x"] * length for length in lengths]])
    assert counts[0, :2].tolist() == [4, closest]


def test_bleu_sums_the_set_before_it_divides() -> None:
    """1 of 1 and 1 of 3 words right is 2 of 4, not 2/3; no penalty as 4 words stand against 3."""
    scores = caption_scores(["a", "b x x"], [["a"], ["b y"]])
    assert scores["bleu_1"] == pytest.approx(2 / 4)


def test_bleu_of_drawn_rows_is_that_of_the_drawn_videos() -> None:
    said, references = ["a b c", "c d", "e"], [["a b d"], ["c d e"], ["e f"]]
    tokens, truth = [caption.split() for caption in said], [[r.split() for r in refs] for refs in references]
    drawn = [2, 0, 0]
    rows = captions.bleu_counts(tokens, truth)[drawn]
    assert captions.bleu(rows) == captions.bleu(
        captions.bleu_counts([tokens[i] for i in drawn], [truth[i] for i in drawn])
    )


def test_rouge_by_hand() -> None:
    """``a b c d`` and ``a c d e f g``: a c d common, P = 3/4, R = 3/6."""
    scores = caption_scores(["a b c d"], [["a c d e f g"]])
    assert scores["rouge_l"] == pytest.approx(2.44 * 0.75 * 0.5 / (0.5 + 1.44 * 0.75))


def test_rouge_takes_precision_and_recall_from_different_references() -> None:
    """P = 1 from the long reference, R = 1 from the one-word one."""
    assert caption_scores(["a b"], [["a x b y z w", "b"]])["rouge_l"] == pytest.approx(1.0)


def test_cider_by_hand() -> None:
    """Two videos. ``a`` is in both (weight 0); the rest weighs log 2 a time.

    Video 1, ``a b b`` against ``a b c``: 1-grams min(2, 1) * 1 / (2 sqrt 2); 2-grams ab of {ab, bb} and {ab, bc}: 1/2;
    3-grams none shared; no 4-gram. Video 2 says its reference ``a d`` : 1 for n = 1 and 2.
    """
    each = video_scores(["a b b", "a d"], [["a b c"], ["a d"]])["cider_d"]
    assert each == pytest.approx([10 / 4 * (1 / (2 * 2**0.5) + 1 / 2), 10 / 4 * 2])


def test_cider_penalises_length_and_averages_references() -> None:
    """5 words too many cost exp(-25 / 72); the second reference shares nothing."""
    said, references = ["a b c d a a a a a", "z"], [["a b c d", "x y"], ["z"]]
    plain = math.exp(-25 / 72) / 2 * 10 / 4
    unit = (1 * 4) / (math.sqrt(36 + 3) * 2)
    pairs = 3 / (math.sqrt(3 + 1 + 16) * math.sqrt(3))  # ab bc cd da aa*4
    threes = 2 / (math.sqrt(2 + 1 + 1 + 9) * math.sqrt(2))  # abc bcd cda daa aaa*3
    fours = 1 / math.sqrt(1 + 1 + 1 + 1 + 4)  # abcd bcda cdaa daaa aaaa*2
    assert video_scores(said, references)["cider_d"][0] == pytest.approx(plain * (unit + pairs + threes + fours))


def test_one_video_has_no_cider() -> None:
    assert caption_scores(["a man talks to a dog"], [["a man talks to a dog"]])["cider_d"] == 0.0


def test_caption_equal_to_its_reference_is_perfect() -> None:
    texts = ["a man talks to a dog", "two women sing on a stage"]
    scores = caption_scores(texts, [[text] for text in texts])
    assert scores == {**{name: pytest.approx(1, abs=1e-8) for name in BLEU},
                      "rouge_l": pytest.approx(1), "cider_d": pytest.approx(10), "meteor": None}  # fmt: skip


def test_two_words_have_no_longer_ngrams() -> None:
    scores = caption_scores(["a b"], [["a b"]])
    assert [scores[name] for name in BLEU] == pytest.approx([1, 1, 1e-2, 1e-3])


@pytest.mark.parametrize("nothing", [None, "", "  \n", " ... !"])
def test_nothing_said_stays_in_the_mean(nothing: str | None) -> None:
    said, references = ["a b c d", nothing], [["a b c d"], ["e f g h"]]
    scores, each = caption_scores(said, references), video_scores(said, references)
    assert each["rouge_l"].tolist() == pytest.approx([1, 0]) and each["cider_d"].tolist() == pytest.approx([10, 0])
    assert scores["rouge_l"] == pytest.approx(0.5) and scores["cider_d"] == pytest.approx(5)
    assert scores["bleu_4"] == pytest.approx(math.exp(1 - 8 / 4))


def test_nothing_said_at_all_is_zero() -> None:
    assert caption_scores([None, ""], [["a b"], ["c"]]) == dict.fromkeys([*BLEU, "rouge_l", "cider_d"], 0) | {
        "meteor": None
    }


def test_wordless_reference_beside_another_is_one_that_nothing_matches() -> None:
    each = video_scores(["a b c d", None, "e"], [["a b c d", "..."], ["", "x"], ["e"]])
    assert each["rouge_l"].tolist() == pytest.approx([1, 0, 1])
    assert each["cider_d"].tolist() == pytest.approx([5, 0, 2.5])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A Man's dog, 2.5 m off!", "a man's dog 2.5 m off"),
        ("don\u2019t stop -- \u201cnow\u201d\nplease...", "don't stop now please"),
        ("a black-and-white cat (left),the 1,000th.", "a black-and-white cat left the 1,000 th"),
        ("two\u2028lines_here & 'quoted' \u00c9T\u00c9-", "two lines here quoted \u00e9t\u00e9"),
        ("?!", ""),
    ],
)
def test_plain_tokens(text: str, tokens: str) -> None:
    assert plain_tokens(text) == tokens.split()


# What is refused.


@pytest.mark.parametrize(
    ("said", "references", "wanted"),
    [
        ([], [], "0 captions and 0 lists"),
        (["a"], [["a"], ["b"]], "1 captions and 2 lists"),
        (["a", "b"], [["a"], []], "word in it wanted for video 1"),
        (["a"], [["...", ""]], "word in it wanted for video 0"),
        (["a"], ["a man"], "list of references wanted for video 0"),
        ([["a", "man"]], [["a man"]], "texts wanted"),
        (["a"], [[None]], "texts wanted"),
    ],
)
def test_bad_sets_are_refused(said: list, references: list, wanted: str) -> None:
    for score in (caption_scores, video_scores):
        with pytest.raises(ValueError, match=wanted):
            score(said, references)


@pytest.mark.parametrize("score", [captions.bleu_counts, captions.rouge_l, captions.cider_d])
@pytest.mark.parametrize(("said", "references"), [(["a b"], [[["a"]]]), ([["a"]], [["a b"]]), ([["a"]], ["a b"])])
def test_texts_in_place_of_tokens_are_refused(score, said: list, references: list) -> None:
    with pytest.raises(ValueError, match="lists of tokens wanted"):
        score(said, references)


@pytest.mark.parametrize("counts", [[], [[1] * 9], [1] * 10, np.zeros((0, 10))])
def test_other_counts_are_refused(counts: list) -> None:
    with pytest.raises(ValueError, match="N, 10"):
        captions.bleu(counts)


def test_unknown_tokenizer_is_refused() -> None:
    with pytest.raises(ValueError, match="plain or ptb wanted, got 'moses'"):
        caption_scores(["a"], [["a"]], tokenizer="moses")


# Java, absent and played by a script.


def test_absent_java_is_named_and_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meteor.shutil, "which", lambda name: None)
    monkeypatch.setattr(meteor, "find_spec", lambda name: None)
    assert meteor.absent_parts() == ("pycocoevalcap", "java")
    with pytest.raises(RuntimeError, match="pycocoevalcap and java absent"):
        caption_scores(["a"], [["a"]], tokenizer="ptb")
    assert caption_scores(["a"], [["a"]])["meteor"] is None


JAVA = """
import os, sys
lines = iter(sys.stdin.readline, "")
sys.stdin.reconfigure(encoding="utf-8"), sys.stdout.reconfigure(encoding="utf-8")
if os.environ.get("BREAKS") in ("all", "meteor" if "-stdio" in sys.argv else "ptb"):
    sys.exit("no memory")
for line in lines:
    if "-stdio" not in sys.argv:  # the tokenizer: points apart, lower case
        print(line.strip("\\n").replace(".", " .").lower())
        continue
    task, *fields = line.rstrip("\\n").split(" ||| ")
    if task == "SCORE":  # statistics: words of the caption (the last field), and how many references there are
        print(len(fields[-1].split()), len(fields) - 1, flush=True)
    else:
        numbers = [field.split() for field in fields]
        print(*["0.5" for _ in numbers], sum(int(w) for w, _ in numbers) + sum(int(r) for _, r in numbers) / 100,
              sep="\\n", flush=True)
"""


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("a script cannot stand for java.exe")
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{JAVA}", encoding="utf-8")
    program.chmod(0o755)
    for jar in (meteor.TOKENIZER_JAR, meteor.METEOR_JAR):
        path = tmp_path / "site" / "pycocoevalcap" / jar
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "pycocoevalcap", raising=False)


@pytest.mark.slow
def test_each_caption_gets_its_own_tokens_and_meteor(java: None) -> None:
    """5 words said and 4 references: the script's METEOR is 5.04."""
    assert meteor.absent_parts() == ()
    texts = ["", "A dog.\nBarks", "...", None, "\u00c9t\u00e9\u2028 on", " "]
    assert meteor.ptb_tokens([text or "" for text in texts]) == [[], ["a", "dog", "barks"], [], [], ["été", "on"], []]
    scores = caption_scores(texts[:2] + texts[4:5], [["a big cat"], ["a dog barks", "x"], ["été on"]], tokenizer="ptb")
    assert scores["meteor"] == pytest.approx(5.04)
    assert scores["rouge_l"] == pytest.approx(2 / 3)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["ptb", "meteor"])
def test_java_that_fails_is_reported(java: None, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setenv("BREAKS", part)
    with pytest.raises(RuntimeError, match={"ptb": "exit status 1: no memory", "meteor": "Java ended"}[part]):
        caption_scores(["a b"], [["a b"]], tokenizer="ptb")


@pytest.mark.slow
@pytest.mark.parametrize("words", [1, 40_000])  # a line that the pipe holds, and one that it cannot
def test_meteor_that_dies_is_reported(java: None, monkeypatch: pytest.MonkeyPatch, words: int) -> None:
    monkeypatch.setenv("BREAKS", "meteor")
    with pytest.raises(RuntimeError, match="METEOR: Java ended"):
        meteor.meteor([["word"] * words], [[["word"]]])


def test_meteor_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no caption"):
        meteor.meteor([], [])
