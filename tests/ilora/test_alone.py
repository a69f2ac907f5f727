"""The adapter stands alone: it loads and works where only torch, transformers, peft and safetensors can be imported."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
CODE = """
import sys

BLOCKED = {
    "av", "cv2", "datasets", "jinja2", "librosa", "matplotlib", "pandas", "pyarrow", "pydantic", "rich", "scipy",
    "sklearn", "soundfile", "torchvision", "typer",
}


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *rest):
        ours = name.startswith("crabplus.") and not name.startswith("crabplus.ilora")
        return None if ours or name.split(".")[0] in BLOCKED else self.finder.find_spec(name, *rest)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
import torch
from peft import get_peft_model
from crabplus.ilora import ILoraConfig

model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(3, 2)), ILoraConfig(r=2, target_modules=["0"]))
model(torch.ones(1, 3)).sum().backward()
print("fine", *sorted(name for name in sys.modules if name.startswith("crabplus")))
"""


@pytest.mark.slow
def test_works_with_every_other_import_blocked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, cwd=SOURCE, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fine crabplus crabplus.ilora ")
