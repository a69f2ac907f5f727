"""Prediction by the workers of a Ray cluster: each loads the model once; the batches are those of a local run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from crabplus.cli.options import track, workers_at


def add_by_cluster(run: Any, file: Any, asked: Sequence[Any], root: Path) -> None:
    """Answer what a file of predictions does not hold yet, and add it.

    Args:
        run: see :class:`crabplus.cli.run.Run`; asked: samples; root: folder of their media.
    """
    import torch

    from crabplus.data import Chosen, WithSource
    from crabplus.generate import batches_of
    from crabplus.models import load_encoder
    from crabplus.models.source import Files

    file.gather()
    remaining = Chosen(asked, file.remaining())
    encoder = load_encoder(run.model, run.wording.size)
    size, reasoning = run.options["batch_size"], run.options["reasoning"]
    batches = batches_of(encoder, WithSource(remaining, Files(root)), run.wording, size, reasoning, True)
    threads = torch.get_num_threads()  # how sums are split among them shows in their last digits
    make = partial(_Asker, replace(run, state=None, plus=None), root, threads)
    gpu = not (run.device or "").startswith("cpu")
    with workers_at(run.ray, make, [root], run.plugin, gpu=gpu, cpus=threads, at_once=2) as workers:
        made = workers.map([remaining[number] for number in batch] for batch in batches)
        done = len(asked) - len(remaining)
        for _ in track(file.add(_checked(file, made)), "answering", len(asked), done):
            pass


def _checked(file: Any, made: Iterable[list[Any]]) -> Iterator[Any]:
    """The predictions of all batches; the type of the weights, which only workers know, is compared at the first."""
    for number, batch in enumerate(made):
        if not number:
            file.check({"dtype": batch[0].settings["dtype"]})
        yield from batch


class _Asker:
    """Answers batches; while one is answered, a thread reads the media of the next."""

    def __init__(self, run: Any, root: Path, threads: int) -> None:
        import torch

        from crabplus.generate import Answerer
        from crabplus.models.source import Files

        torch.set_num_threads(threads)
        plus, options = run.load(), run.options
        self.encoder, self.pack, self.files, self.reasoning = (
            plus.model.encoder,
            plus.pack,
            Files(root),
            options["reasoning"],
        )
        self.answerer = Answerer(plus.model, plus.pack, plus.origin, options["reasoning"], options["constrain"])
        self.reading, self.answering = Lock(), Lock()

    def __call__(self, samples: Sequence[Any]) -> list[Any]:
        """The predictions of one batch."""
        from crabplus.data import PromptData, WithSource

        data = PromptData(self.encoder, WithSource(samples, self.files), self.pack, self.reasoning)
        with self.reading:
            items = [data[number] for number in range(len(samples))]
        with self.answering:
            return list(self.answerer(items))
