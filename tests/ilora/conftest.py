"""A toy model for what PEFT does, and the tiny thinker of the recorded values."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

GOLDEN = Path(__file__).parents[1] / "golden" / "ilora"
RENAMED = {"audio_tower.": "model.audio_tower.", "visual.": "model.visual.", "model.": "model.language_model."}


class Toy(nn.Module):
    """Two linear layers and a head: x (..., 6) to (..., 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(6, 10)
        self.down = nn.Linear(10, 6, bias=False)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.down(torch.tanh(self.up(x))))


@pytest.fixture
def toy() -> Callable[[], Toy]:
    """Makes the same toy model each time."""

    def make() -> Toy:
        torch.manual_seed(0)
        return Toy().eval()

    return make


@pytest.fixture
def x() -> Tensor:
    """An input (2, 5, 6) of the toy model."""
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of the recorded values."""
    return GOLDEN


@pytest.fixture(scope="session")
def thinker() -> Callable[[], nn.Module]:
    """Makes the tiny thinker of the recorded values."""
    from transformers import Qwen2_5OmniThinkerConfig, Qwen2_5OmniThinkerForConditionalGeneration

    config = Qwen2_5OmniThinkerConfig.from_pretrained(GOLDEN / "config.json")
    state = {}
    for key, tensor in load_file(GOLDEN / "base.safetensors").items():
        old = next((old for old in RENAMED if key.startswith(old)), "")
        state[RENAMED.get(old, "") + key.removeprefix(old)] = tensor

    def make() -> nn.Module:
        model = Qwen2_5OmniThinkerForConditionalGeneration(config).eval()
        model.load_state_dict(state)
        return model

    return make


@pytest.fixture(scope="session")
def inputs() -> Callable[[str], dict[str, Tensor]]:
    """The recorded model inputs of a case, ``text`` or ``audio_video``."""
    recorded = load_file(GOLDEN / "inputs.safetensors")

    def of(case: str) -> dict[str, Tensor]:
        return {key.partition("/")[2]: tensor for key, tensor in recorded.items() if key.startswith(f"{case}/")}

    return of


@pytest.fixture(scope="session")
def expected() -> dict[str, Tensor]:
    """The recorded logits."""
    return load_file(GOLDEN / "expected.safetensors")
