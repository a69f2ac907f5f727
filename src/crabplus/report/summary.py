"""The page about a training run: its curves, what was trained on what, how it came out, and with which settings."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from crabplus.report.embed import png_uri
from crabplus.report.log import MEAN, Series, evaluations, losses, short
from crabplus.report.page import PageTable, render

__all__ = ["summary_page"]

_NONE = "–"


def summary_page(name: str, series: Series, picture: bytes, about: Mapping[str, Any], config: str) -> str:
    """The page of a run as HTML.

    Args:
        name: of the run. series: its log. picture: its curves, PNG.
        about: ``run.json``, of which any part may be missing.
        config: the settings, as they stand in their file; empty where there is none.
    """
    tables = [_evaluation(series), _trained(about), _data(about), _loss(series)]
    return render(
        "summary.html.j2", title=f"Training run {name}", command=about.get("command"), facts=_facts(series, about),
        picture=png_uri(picture), tables=[table for table in tables if table.rows], config=config,
        versions=[(package, str(version)) for package, version in _part(about, "versions").items()],
    )  # fmt: skip


def _part(about: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = about.get(name)
    return part if isinstance(part, Mapping) else {}


def _facts(series: Series, about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What one wants to know first, with its name; only what is known."""
    values = {name: [value for _, value in points] for name, points in series.items()}
    model = _part(about, "model")
    told = {
        "model": " ".join(str(model[part]) for part in ("name", "revision") if model.get(part)),
        "machine": about.get("machine"),
        "started": about.get("created"),
        "steps": f"{max(step for points in series.values() for step, _ in points):,}",
        "epochs": _say(values, "epoch", max, "{:.2f}"),
        "loss, last": _say(values, "loss", lambda found: found[-1], "{:.3f}"),
        "mean relative score, last": _say(values, MEAN, lambda found: found[-1], "{:.3f}"),
        "samples per second, median": _say(values, "samples_per_second", np.median, "{:.2f}"),
        "tokens per second, median": _say(values, "tokens_per_second", np.median, "{:,.0f}"),
        "waiting for data, mean": _say(values, "waiting", np.mean, "{:.1%}"),
        "memory, most": _say(values, "memory_gib", max, "{:.1f} GiB"),
        "time": _say(values, "train_runtime", lambda found: found[-1] / 3600, "{:.2f} h"),
    }
    return [(name, str(value)) for name, value in told.items() if value]


def _say(values: Mapping[str, list[float]], name: str, reduce: Any, form: str) -> str | None:
    return form.format(float(reduce(values[name]))) if name in values else None


def _evaluation(series: Series) -> PageTable:
    """Last and best score of each key; higher is better."""
    rows = []
    for name, points in evaluations(series).items():
        best = max(points, key=lambda point: (point[1] == point[1], point[1]))
        rows.append(["mean relative" if name == MEAN else short(name), *_at(points[-1]), *_at(best)])
    return PageTable("evaluation", "Evaluation", "", ("Key", "Last", "at step", "Best", "at step"), rows, [
        "mean relative"])  # fmt: skip


def _loss(series: Series) -> PageTable:
    rows = []
    for name, points in losses(series).items():
        label = {"loss": "all", "eval_loss": "evaluation"}.get(name, short(name))
        group = "family" if name.startswith("loss_family/") else "key" if name.startswith("loss_key/") else ""
        change = f"{points[-1][1] / points[0][1] - 1:+.0%}" if len(points) > 1 and points[0][1] else _NONE
        rows.append([label, group, *_at(points[0]), *_at(points[-1]), change])
    words = "As logged at these steps, not smoothed."
    return PageTable("loss", "Loss", words, ("Of", "", "First", "at step", "Last", "at step", "Change"), rows, ["all"])


def _at(point: tuple[int, float]) -> list[str]:
    return [f"{point[1]:.3f}", f"{point[0]:,}"]


def _trained(about: Mapping[str, Any]) -> PageTable:
    """Each part of the model: layers with an adapter, their parameters, and what is trained in all."""
    adapter, trained = _part(about, "adapter"), _part(about, "trained")
    columns = [_part(adapter, "layers"), _part(adapter, "parameters_by_part"), trained]
    parts = dict.fromkeys(part for column in columns for part in column)
    rows = [[part, *(_count(column.get(part)) for column in columns)] for part in parts]
    if rows:
        rows.append(["all", *(_sum(column) for column in columns)])
    names = {"kind": "", "r": "rank ", "alpha": "alpha ", "heads": "heads ", "parameters": "parameters "}
    words = ", ".join(f"{said}{_count(adapter[name])}" for name, said in names.items() if adapter.get(name) is not None)
    columns_said = ("Part", "Layers with adapter", "Adapter parameters", "Trained parameters")
    if words and not rows:
        rows = [["adapter", _NONE, _count(adapter.get("parameters")), _NONE]]
    return PageTable("trained", "What was trained", f"Adapter: {words}" if words else "", columns_said, rows, ["all"])


def _data(about: Mapping[str, Any]) -> PageTable:
    data = _part(about, "data")
    rows = []
    for key, told in _part(data, "keys").items():
        known = told if isinstance(told, Mapping) else {}
        share = known.get("share")
        part = f"{share:.1%}" if isinstance(share, int | float) else _NONE
        rows.append([key, _count(known.get("samples")), part, str(known.get("hash") or _NONE)])
    words = ", ".join(f"{name} {data[name]}" for name in ("folder", "split", "fingerprint") if data.get(name))
    return PageTable("data", "Data", words, ("Key", "Samples", "Share", "Hash"), rows)


def _count(value: Any) -> str:
    """A number with commas; words as they are; a dash for nothing."""
    return _NONE if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _sum(column: Mapping[str, Any]) -> str:
    numbers = [value for value in column.values() if isinstance(value, int)]
    return f"{sum(numbers):,}" if numbers else _NONE
