"""What the page on transfer says in words: the answer, what to bear in mind, and how the numbers come about."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

__all__ = ["remarks", "rules", "share_words", "verdict"]


def verdict(made: Mapping[str, Any]) -> str:
    """The answer in one sentence, the best method first."""
    told = {method: counts for method, counts in made["methods"].items() if counts["keys"]}
    if not told:
        return "Nothing could be compared; what is missing stands below."
    ranked = sorted(told.items(), key=lambda item: -item[1]["share"])
    words = [
        f"{counts['positive']} of {counts['keys']} tasks with {method} ({share_words(counts['share'])})"
        for method, counts in ranked
    ]
    few = "; not everything could be compared, see what is missing" if made["missing"] else ""
    told_of = _listed(words).replace(" %", "\u00a0%")  # which no line begins with
    return f"Compared with training each task alone, training together helps {told_of}{few}."


def remarks(made: Mapping[str, Any]) -> list[str]:
    """What makes a comparison less than it looks: the notes, and keys on which little or nothing was learned."""
    return [*made["notes"], *_unread(made["cells"]), *_poor(made["cells"])]


def _unread(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Keys for which not one answer could be read."""
    for who, keys in _sides(cells, lambda cell, side: cell["unanswered"][side] == cell["n"] * len(cell["seeds"])):
        yield f"{who}: not one answer to {_listed(keys)} could be read"


def _poor(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Keys whose score a constant answer has, too."""
    for who, keys in _sides(cells, lambda cell, side: cell[("single", "multi")[side]] <= cell["constant"]):
        yield f"{who}: no better than the best constant answer on {_listed(keys)}; next to nothing was learned there"


def _sides(
    cells: Sequence[Mapping[str, Any]], holds: Callable[[Mapping[str, Any], int], bool]
) -> Iterable[tuple[str, list[str]]]:
    """The keys for which something holds alone (side 0), and together (1) by each method."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        for side, who in enumerate(("each key alone", f"together, {cell['method']}")):
            if holds(cell, side):
                found.setdefault(who, {})[cell["key"]] = None
    return [(who, list(keys)) for who, keys in found.items()]


def rules(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the numbers come about."""
    settings = made["settings"]
    seeds = max((len(cell["seeds"]) for cell in made["cells"]), default=0)
    drawn = "samples and seeds" if seeds > 1 else "samples alone, as there is one seed"
    return [
        (
            "Score",
            "the official metric of the key over all samples, mean over seeds. An answer that cannot be read is wrong "
            "and stays in the mean. Only seeds that both sides have are compared.",
        ),
        (
            "Alone",
            f"runs trained on one key, method or adapter {settings['baseline']}, with the same seed and reasoning as "
            "the run that was trained on several.",
        ),
        (
            "Change",
            "together minus alone. Relative: change divided by the score alone; it has no interval where that score is "
            "0 in a draw of the samples.",
        ),
        (
            "Zero alone",
            "where a task scores 0 alone there is no relative change: the change itself is given, and its sign counts "
            "as that of any other task.",
        ),
        (
            "Interval",
            f"95 %, percentile bootstrap over {drawn}: {settings['rounds']} draws with replacement (seed "
            f"{settings['seed']}), each the same for both sides. Few seeds make it a rough one, likely too "
            "narrow; with one seed nothing of what another would change is in it. Of twenty tasks that do not change, "
            "one would look clear by chance.",
        ),
        (
            "Share",
            "positive tasks divided by all tasks that could be compared. Its interval holds the shares of 95 % of "
            "these draws: these tasks with other samples and seeds, not other tasks. Draws scatter small changes about "
            "0, so it may lie below the share itself.",
        ),
        (
            "Tie",
            "the change is smaller than what one right answer of one run makes (highest score / samples / seeds): not "
            "positive, but in the denominator of the share.",
        ),
        (
            "Ceiling",
            f"alone the task scores {settings['ceiling']:g} or more: it is not counted as positive and stays in the "
            "denominator; the share of those with room leaves it out. A metric that may exceed 1 (CIDEr-D) is taken on "
            "the way from the best constant answer to what the true answers themselves score.",
        ),
        (
            "Missing",
            "failed or absent runs, and keys of which a run has not answered every sample, are in no count and are "
            "listed.",
        ),
    ]


def share_words(value: float) -> str:
    """A share in whole percent."""
    return f"{100 * value:.0f} %"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
