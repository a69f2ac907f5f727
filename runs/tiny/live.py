"""Training on clips that are rendered when they are asked for: each is met once.

In one process, or in two that share each batch, which is faster on two cores: torchrun --nproc-per-node 2 SCRIPT.
"""

import os
from pathlib import Path

import numpy as np
from transformers import TrainingArguments

from crabplus.data import TrainingData
from crabplus.data.mixture import Draw, MixtureSampler, Stream
from crabplus.train import fit

PARTS = 2  # of a batch for each process; each holds samples of like length, so that little is padded
MEASURED = 3  # samples of each key whose mean length stands for all


def learn(model, samples, pack, out, *, steps, batch, seed, optimizer=None, callbacks=(), **arguments):
    """Train on ``steps * batch`` samples; goes on from the last checkpoint. Returns the folder of what was trained."""
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    parts = PARTS * world
    arguments = TrainingArguments(
        output_dir=str(Path(out) / "checkpoints"), seed=seed, max_steps=steps, max_grad_norm=1.0,
        per_device_train_batch_size=batch // parts, gradient_accumulation_steps=parts // world, logging_steps=25,
        lr_scheduler_type="cosine", save_total_limit=2, dataloader_num_workers=1, use_cpu=True, disable_tqdm=True,
        report_to="none", remove_unused_columns=False, label_names=["labels"], **arguments,
    )  # fmt: skip
    Path(out).mkdir(parents=True, exist_ok=True)
    data = TrainingData(model.encoder, samples, pack, paraphrases=False)
    stream = Stream(0, steps * batch, steps * batch)
    tokens = lengths(samples, data, steps * batch)
    sampler = MixtureSampler([stream], batch, parts, seed, rank, world, lengths=tokens)
    return fit(model, data, sampler, Path(out), arguments, keys=samples.keys, optimizer=optimizer, callbacks=callbacks)


def lengths(samples, data, count):
    """About how many tokens each sample has: the mean of its key."""
    keys = [samples.key_of(index) for index in range(count)]
    first = {key: [n for n, other in enumerate(keys[:5000]) if other == key][:MEASURED] for key in samples.keys}
    mean = {key: int(np.mean([len(data[Draw(n, 0)]["input_ids"]) for n in numbers])) for key, numbers in first.items()}
    return np.array([mean[key] for key in keys], np.int64)
