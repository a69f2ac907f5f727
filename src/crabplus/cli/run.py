"""A run of prediction: which model answers, and how what it said is kept while it goes on, by one process or many."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crabplus.cli.options import track


@dataclass
class Run:
    """What the options say about model and run; ``options`` are those of :func:`crabplus.generate.predict`.

    Attributes:
        wording: the pack; loading: settings with which the model is loaded.
        ray: address of the cluster that answers, if one does; plugin: Python file that its workers take, too.
        state: this process among those that a launcher started, while :meth:`processes` is open.
        plus: the model, once it was needed.
    """

    model: str
    adapter: str | None
    pack: Path | None
    wording: Any
    device: str | None
    loading: dict[str, str]
    overwrite: bool
    retry: bool
    options: dict[str, Any]
    ray: str | None = None
    plugin: Path | None = None
    state: Any = None
    plus: Any = field(default=None, repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the first of the processes, which writes what all have in common."""
        return bool(self.state.is_main_process)

    @contextmanager
    def processes(self) -> Iterator[None]:
        """Join the processes that a launcher started, if one did."""
        self.state = _processes("cpu" if self.ray else self.device)  # of a cluster the workers have the devices
        if self.ray and self.state.num_processes > 1:
            raise ValueError("--ray needs no launcher: start the command alone")
        yield  # after an error the others are not waited for
        self.state.destroy_process_group()

    @property
    def settings(self) -> dict[str, Any]:
        """What predictions record, as far as it is known before the model is loaded."""
        from crabplus.generate import settings_of
        from crabplus.loading import adapter_for, origin_of

        origin = origin_of(self.model, adapter_for(self.model, self.adapter))
        known = settings_of(self.wording, origin, self.options["reasoning"], self.options["constrain"])
        return {**known, **(self.loading if self.loading.get("dtype") != "auto" else {})}

    def load(self) -> Any:
        """The model; loaded once."""
        from crabplus.api import CrabPlus
        from crabplus.device import default_device

        if self.plus is None:
            device = self.device or (str(self.state.device) if self.state else default_device())
            self.plus = CrabPlus.from_pretrained(
                self.model, self.adapter, pack=self.pack, device=device, **self.loading
            )
        return self.plus

    def answer(self, asked: Sequence[Any], root: Path, out: Path) -> Any:
        """Answer what the file does not hold yet, each process its share; gives the file as it is in the end.

        Args:
            asked: samples; root: folder of their media; out: file of predictions.
        """
        from crabplus.generate import dtype_of
        from crabplus.predictions import PredictionFile

        file = PredictionFile(out, _names(asked, self.wording, self.options["reasoning"]))
        with file.alone() if self.first else nullcontext():
            if not self.overwrite:
                file.read()
                file.check(self.settings)
            if self.retry:
                file.forget_errors()
            if file.remaining() and self.ray:
                from crabplus.cli.cluster import add_by_cluster

                add_by_cluster(self, file, asked, root)
            elif file.remaining():
                file.check({"dtype": dtype_of(self.load().model)})
                self._add(file, asked, root)
            self.state.wait_for_everyone()
            if self.first:
                file.read()
                file.gather()
        return file

    def _add(self, file: Any, asked: Sequence[Any], root: Path) -> None:
        """Answer what remains; what is there is brought into one file before."""
        from crabplus.data import Chosen, WithSource
        from crabplus.generate import predict
        from crabplus.models.source import Files

        self.state.wait_for_everyone()  # all have read the file
        if self.first:
            file.gather()
        self.state.wait_for_everyone()
        rank, world, remaining = self.state.process_index, self.state.num_processes, file.remaining()
        mine = remaining[rank::world]
        samples = WithSource(Chosen(asked, mine), Files(root))
        said = predict(
            self.plus.model, samples, self.plus.pack, origin=self.plus.origin, longest_first=True, **self.options
        )
        made = file.add(said, rank)
        if rank == 0:
            heading = "answering" if world == 1 else f"answering, 1 of {world} processes"
            done = (len(file.names) - len(remaining)) // world
            made = track(made, heading, len(mine) + done, done)
        for _ in made:
            pass


def _names(asked: Sequence[Any], pack: Any, reasoning: bool) -> list[tuple[str, str]]:
    """The names of all samples; the first of each key is worded, so that a pack without its key is told at once."""
    from crabplus.tasks import get_task

    names, seen = [], set()
    for sample in asked:
        if sample.task not in seen:
            get_task(sample.task).prompt(sample, pack, reasoning)
        seen.add(sample.task)
        names.append((sample.task, sample.id))
    return names


def _processes(device: str | None) -> Any:
    """This process among those that a launcher started, or alone; none waits less than a week for the others."""
    from datetime import timedelta

    from accelerate import PartialState

    from crabplus.device import default_device

    there = default_device()
    if device and device.partition(":")[0] not in ("cpu", there):
        raise ValueError(f"--device: cpu{'' if there == 'cpu' else f' or {there}'} wanted, got {device!r}")
    return PartialState(cpu=(device or there) == "cpu", timeout=timedelta(days=7))
