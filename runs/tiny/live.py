"""Training on clips that are rendered when they are asked for: each is met once."""

from pathlib import Path

from transformers import TrainingArguments

from crabplus.data import TrainingData
from crabplus.data.mixture import MixtureSampler, Stream
from crabplus.train import fit


def learn(model, samples, pack, out, *, steps, batch, seed, optimizer=None, callbacks=(), **arguments):
    """Train on ``steps * batch`` samples; goes on from the last checkpoint. Returns the folder of what was trained."""
    arguments = TrainingArguments(
        output_dir=str(Path(out) / "checkpoints"), seed=seed, max_steps=steps, per_device_train_batch_size=batch,
        max_grad_norm=1.0, lr_scheduler_type="cosine", logging_steps=25, save_total_limit=2, dataloader_num_workers=1,
        use_cpu=True, disable_tqdm=True, report_to="none", remove_unused_columns=False, label_names=["labels"],
        **arguments,
    )  # fmt: skip
    Path(out).mkdir(parents=True, exist_ok=True)
    data = TrainingData(model.encoder, samples, pack, paraphrases=False)
    sampler = MixtureSampler([Stream(0, steps * batch, steps * batch)], batch, 1, seed)
    return fit(model, data, sampler, Path(out), arguments, keys=samples.keys, optimizer=optimizer, callbacks=callbacks)
