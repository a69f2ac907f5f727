"""All that can be known to be wrong before a model is loaded."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from crabplus.config import ConfigError, TrainConfig
from crabplus.data import Folder
from crabplus.data.mixture import draws_of, shares
from crabplus.data.scan import Scan, Track, fingerprint, load_scan, mark_of, save_scan, scan, untracked
from crabplus.device import no_search
from crabplus.evaluate import evaluate
from crabplus.models import family_of, load_encoder, load_skeleton
from crabplus.schema import Sample
from crabplus.tasks import Pack, get_task
from crabplus.train import record
from crabplus.train.adapters import check_start, prepare, summary
from crabplus.train.arguments import arguments_of, division_of
from crabplus.train.judge import mean_relative
from crabplus.train.plan import Plan
from crabplus.train.sharding import check_processes
from crabplus.wording import pack_for

TOWERS = ("vision", "vision-merger", "audio", "audio-projector")
"""Parts of a model that turn media into what stands among the embeddings of its tokens."""


def check(config: TrainConfig, track: Track = untracked, fresh: bool = False, save: bool = True) -> Plan:
    """Check everything, from the cheapest to the dearest.

    Args:
        track: shows progress; fresh: whatever the folder of the run holds will go.
        save: whether the look at the samples is saved in that folder, so that the next is quick; else it is left alone.

    Raises:
        ConfigError, ValueError, OSError: what is wrong, and what to do.
    """
    no_search()
    check_processes()
    _check_names(config)
    if config.adapter.start:
        check_start(config.adapter.start)
    pack = pack_for(config.model, config.pack)
    samples = _folder(config, config.data.keys, config.data.split, "data.keys, data.split")
    _check_wording(pack, samples)
    judged = _judged(config)
    arguments = arguments_of(config)
    trained = _trained(config)
    division = division_of(arguments)
    if save and not fresh:
        record.check_same(Path(config.out), config, division)
    share, draws = _mixture(config, samples.sizes, division.batch)
    encoder = load_encoder(config.model, pack.size)
    hashes = fingerprint(config.data.folder, config.data.keys, config.data.split)
    found = _scan(config, encoder, samples, pack, hashes, track, save)
    return Plan(config, arguments, pack, encoder, samples, found, draws, share, hashes, judged, trained)


def _check_names(config: TrainConfig) -> None:
    judged = (config.evaluation.keys if config.evaluation else None) or ()
    for where, keys in (("data.keys", tuple(config.data.keys)), ("evaluation.keys", judged)):
        for key in keys:
            try:
                get_task(key)
            except KeyError as error:
                raise ConfigError(f"{where}: {error.args[0]}") from error
    if config.pack and not Path(config.pack).is_file():
        raise ConfigError(f"pack: {config.pack} is not there; name a YAML file, or leave it out for the model's own")
    if not Path(config.data.folder).is_dir():
        raise ConfigError(f"data.folder: {config.data.folder} is no folder; build one with: crabplus build ...")
    for name, settings in (("cache", config.cache), ("encoded", config.encoded)):
        if settings and Path(settings.folder).is_file():
            raise ConfigError(f"{name}.folder: {settings.folder} is a file")


def _folder(config: TrainConfig, keys: Iterable[str], split: str, where: str) -> Folder:
    """The samples of some keys; each has at least one."""
    try:
        made = Folder(config.data.folder, keys, split)
    except FileNotFoundError as error:
        remedy = "; build it, or leave evaluation out: evaluation=null" if where == "evaluation.split" else ""
        raise ConfigError(f"{where}: {error}{remedy}") from error
    for key, size in made.sizes.items():
        if not size:
            raise ConfigError(f"{where}: {key}/{split} holds no sample; build it, or leave {key} out")
    return made


def _check_wording(pack: Pack, samples: Folder) -> None:
    """Raise if the pack does not say how a key is asked."""
    for key, first in samples.firsts.items():
        try:
            get_task(key).prompt(samples[first], pack)
        except KeyError as error:
            raise ConfigError(f"pack: {error.args[0]}") from error


def _judged(config: TrainConfig) -> list[Sample]:
    """The first samples of each key of the split that is looked at while training."""
    if config.evaluation is None:
        return []
    chosen: Sequence[str] = config.evaluation.keys or tuple(config.data.keys)
    parts = [_folder(config, [key], config.evaluation.split, "evaluation.split") for key in chosen]
    samples = [sample for part in parts for sample in part[: config.evaluation.samples]]
    for sample in samples:
        if sample.answer is None:
            raise ConfigError(
                f"evaluation.split: {sample.task} sample {sample.id!r} of {config.evaluation.split} has no true "
                "answer; name a split that has, or leave evaluation out: evaluation=null"
            )
    mean_relative(evaluate(samples, (), partial=True, rounds=2), config.evaluation.reference)  # raises, if it will
    return samples


class Skeleton:
    """A model without weights, on which an adapter is tried."""

    def __init__(self, name: str, attention: str) -> None:
        family = family_of(name)
        self.thinker, self.parts, self.unused = load_skeleton(name), family.PARTS, family.UNUSED
        try:
            self.thinker.set_attn_implementation(attention)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"attention: {' '.join(str(error).split())}") from error


def _trained(config: TrainConfig) -> dict[str, Any]:
    """Adapted layers and trained parameters, tried on a model without weights."""
    import torch

    model = Skeleton(config.model, config.attention)
    with torch.device("meta"):
        prepare(model, config.adapter, config.trained, weights=False)
    made = summary(model)
    if not made["parameters"]:
        raise ConfigError("nothing of the model would be trained: name parts in trained, or an adapter")
    towers = sorted(set(made["parameters_by_part"]) & set(TOWERS))
    if config.encoded and towers:
        raise ConfigError(
            f"encoded: outputs of towers can be kept only where these stay as they are, and this run trains "
            f"{', '.join(towers)}: confine adapter.parts to language, or leave encoded out"
        )
    return made


def _mixture(config: TrainConfig, sizes: dict[str, int], batch: int) -> tuple[dict[str, float], dict[str, int]]:
    keys = config.data.keys
    share = shares(
        sizes, {key: value.weight for key, value in keys.items()}, {key: value.cap for key, value in keys.items()},
        config.data.temperature,
    )  # fmt: skip
    whole = sum(min(size, keys[key].cap or size) for key, size in sizes.items())
    total = whole // batch * batch
    if total < max(batch, len(keys)):
        raise ConfigError(
            f"a step takes {batch} samples (per_device_train_batch_size x gradient_accumulation_steps x processes), "
            f"and an epoch has {whole} of {len(keys)} keys: make the batch smaller, or give more samples"
        )
    return share, draws_of(share, total)


def _scan(
    config: TrainConfig, encoder: Any, samples: Folder, pack: Pack, hashes: dict[str, str], track: Track, save: bool
) -> Scan:  # fmt: skip
    """A look at all samples, or the one that was saved in the run folder."""
    from accelerate import PartialState

    data, path = config.data, Path(config.out) / "samples.npz"
    folder = str(Path(data.folder).resolve())
    mark = mark_of(hashes, pack.digest, config.model, data.reasoning, data.longest, data.unreadable, folder)
    with PartialState().main_process_first():
        found = load_scan(path, mark)
        if found is None:
            reasoned, lost = data.reasoning != "off", data.unreadable == "out"
            found = scan(encoder, samples, data.folder, pack, reasoned, data.longest, track, lost)
            if save:
                save_scan(path, found, mark)
    return found
