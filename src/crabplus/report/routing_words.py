"""What a study of routing found, in sentences and as a table on the terminal."""

from collections.abc import Mapping, Sequence
from math import log2
from statistics import median
from typing import Any

from rich.table import Table

__all__ = ["change_words", "findings", "reading", "routing_table"]


def reading(made: Mapping[str, Any]) -> list[int]:
    """Numbers of the adapted layers that read the prompt; those of towers do not."""
    found = [n for n, place in enumerate(made["places"]) if not place["part"].startswith(("vision", "audio"))]
    return found or list(range(len(made["places"])))


def findings(made: Mapping[str, Any]) -> list[str]:
    """What the numbers in ``routing.json`` say, in sentences that follow from them alone."""
    told = [_reactions(made), _dead(made), _likeness(made), *_effects(made), _few(made)]
    return [sentence for sentence in told if sentence]


def _reactions(made: Mapping[str, Any]) -> str:
    layers = reading(made)
    bits = {name: sum(values[n] or 0.0 for n in layers) / len(layers) for name, values in made["use"]["bits"].items()}
    return (
        f"The choice among {made['heads']} heads has {sum(bits.values()):.2f} bits, of at most "
        f"{log2(made['heads']):.2f} (mean over {len(layers)} adapted layers): {bits['kind']:.3f} hang on the kind of "
        f"token, {bits['key']:.3f} on the key beyond that, {bits['token']:.3f} on the single token beyond both; "
        f"{bits['undecided']:.3f} are left open, where heads are mixed."
    )


def _dead(made: Mapping[str, Any]) -> str:
    dead, rule = made["use"]["dead"], made["use"]["dead_rule"]
    total = len(made["places"]) * made["heads"]
    if not dead:
        return f"None of the {total} heads is dead ({rule})."
    named = ", ".join(f"head {one['head']} of {one['layer']}" for one in dead[:5])
    more = f" and {len(dead) - 5} more" if len(dead) > 5 else ""
    return f"{len(dead)} of the {total} heads {'is' if len(dead) == 1 else 'are'} dead ({rule}): {named}{more}."


def _likeness(made: Mapping[str, Any]) -> str:
    """How many pairs of keys are farther apart than the halves of either, and which are nearest and farthest."""
    names, apart = made["similarity"]["keys"], made["similarity"]["divergence"]
    pairs = [(apart[a][b], a, b) for a in range(len(names)) for b in range(a) if apart[a][b] is not None]
    if not pairs:
        return ""
    judged = [(value, a, b) for value, a, b in pairs if None not in (apart[a][a], apart[b][b])]
    far = sum(value > 1.5 * max(apart[a][a], apart[b][b]) for value, a, b in judged)
    (low, a, b), (high, c, d) = min(pairs), max(pairs)
    told = f"Most alike are {names[b]} and {names[a]} ({low:.4f} bits)"
    told += f", least alike {names[d]} and {names[c]} ({high:.4f})." if len(pairs) > 1 else "."
    if not judged:
        return f"{told} With one sample of a key there are no halves to compare that with."
    times = "at least one and a half times as far apart as the two halves of either key"
    if len(judged) == 1:
        return f"{told} They are {times}." if far else f"{told} That is not {times}: chance may make it."
    rest = "; the others cannot be told apart with so few samples" if far < len(judged) else ""
    return f"{told} Of {len(judged)} pairs of keys {far} {'is' if far == 1 else 'are'} {times}{rest}."


def _effects(made: Mapping[str, Any]) -> list[str]:
    """For every head: how many keys lose and gain, clear of 0, when it is off in all layers."""
    told = []
    for number, variant in enumerate(made["ablation"]["variants"]):
        if variant["band"] == "all layers":
            rows = {key: of["changes"][number] for key, of in made["ablation"]["keys"].items()}
            worse, better = (
                [key for key, row in rows.items() if row["clear"] and row["change"] * sign > 0] for sign in (-1, 1)
            )
            scores = {key: of["score"] for key, of in made["ablation"]["keys"].items()}
            shares = [row["change"] / scores[key] for key, row in rows.items() if scores[key]]
            text = f"Without head {variant['head']} in all layers {len(worse)} of {len(rows)} keys score clearly lower"
            text += f" and {len(better)} clearly higher" if better else ""
            told.append(f"{text}; the median change is {median(shares):+.0%} of the score." if shares else f"{text}.")
    return told


def _few(made: Mapping[str, Any]) -> str:
    """Keys of so few samples that no change of their score is called clear."""
    least = made["ablation"]["clear_from"]
    few = [key for key, of in made["ablation"]["keys"].items() if of["n"] < least]
    return f"With fewer than {least} samples no change is called clear: {', '.join(few)}; ask for more." if few else ""


def routing_table(made: Mapping[str, Any]) -> Table:
    """A row for each key: samples, tokens, score, and its change without each head in all layers."""
    variants = [n for n, one in enumerate(made["ablation"]["variants"]) if one["band"] == "all layers"]
    heads = [f"head {made['ablation']['variants'][n]['head']} off" for n in variants]
    title = "Routing, and what each head does in all layers" if variants else "What was asked"
    table = Table(title=title, title_justify="left")
    table.add_column("key", style="bold")
    for name in ("n", "tokens", *(["score"] if variants else []), *heads):
        table.add_column(name, justify="right")
    for key, of in made["keys"].items():
        table.add_row(key, str(of["answered"]), f"{sum(of['tokens']):,}", *_scores(made, key, variants))
    return table


def _scores(made: Mapping[str, Any], key: str, variants: Sequence[int]) -> list[str]:
    if not variants:
        return []
    of = made["ablation"]["keys"][key]
    return [f"{of['score']:.3f}", *(change_words(of["changes"][n]) for n in variants)]


def change_words(change: Mapping[str, Any]) -> str:
    """A change of a score, with a star where it is clear."""
    return f"{change['change']:+.3f}{'*' if change['clear'] else ''}"
