"""Official scores of unseen samples while training, and one number for all of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import PartialState
from accelerate.utils import gather_object

from crabplus.config import ConfigError
from crabplus.data import WithSource
from crabplus.evaluate import evaluate
from crabplus.generate import predict
from crabplus.models.source import MediaSource
from crabplus.schema import Score, to_json

if TYPE_CHECKING:
    from crabplus.train.plan import Plan


class FolderJudge:
    """Asks a slice of each key, divided among the processes, and scores the answers.

    The answers are kept in ``evaluations/step-N.jsonl`` of the run.
    """

    def __init__(self, plan: "Plan", source: MediaSource) -> None:
        self.plan, self.source = plan, source

    def __call__(self, model: Any, step: int) -> dict[str, float]:
        plan, state, settings = self.plan, PartialState(), self.plan.config.evaluation
        assert settings is not None
        mine = plan.judged[state.process_index :: state.num_processes]
        said = list(predict(model, WithSource(mine, self.source), plan.pack, settings.batch_size, {"step": step}))
        said = gather_object(said) if state.num_processes > 1 else said
        if state.is_main_process:
            path = Path(plan.config.out) / "evaluations" / f"step-{step}.jsonl"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(to_json(one) + "\n" for one in said), encoding="utf-8")
        scores = evaluate(plan.judged, said, rounds=2)
        return {
            **{key: score.score for key, score in scores.items()},
            "unparsable": sum(score.unparsable for score in scores.values()) / len(plan.judged),
            "mean_relative": mean_relative(scores, settings.reference),
        }


def mean_relative(scores: Mapping[str, Score], reference: Mapping[str, float]) -> float:
    """The mean over keys of (score - constant) / (reference - constant).

    So 0 is the best constant answer of a key, and 1 its reference, which is a score of 1 where none is given.

    Raises:
        ConfigError: a reference that is no better than the best constant answer.
    """
    relative = []
    for key, score in scores.items():
        full = reference.get(key, 1.0)
        if full <= score.constant:
            raise ConfigError(
                f"evaluation.reference: {key} {full} is no better than the best constant answer, which scores "
                f"{score.constant:.3f}; name a higher one, or ask more evaluation.samples"
            )
        relative.append((score.score - score.constant) / (full - score.constant))
    return sum(relative) / len(relative)
