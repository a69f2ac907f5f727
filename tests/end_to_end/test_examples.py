"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_tune_a_text_model(tmp_path: Path) -> None:
    command = [sys.executable, "examples/ilora_text.py", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    right = done.stdout.partition("right on unseen words: ")[2]
    assert float(right[:4]) >= 0.9 and "without the adapter: 0.0" in right
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists() and "task: repeat" in right
