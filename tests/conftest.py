"""Settings for every test: no network, two threads. They are in the environment before anything imports torch."""

import os

from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MKL_NUM_THREADS", "2")

# No time limit per example: the machine may be busy.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
