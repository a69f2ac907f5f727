"""I-LoRA: one shared matrix A, several heads B, and a router that mixes the heads for each token.

A PEFT method of its own; importing this package registers it, after which ``get_peft_model``, ``save_pretrained`` and
``PeftModel.from_pretrained`` know it. It works with torch, transformers and peft alone. Source: arXiv 2603.04128.
"""

from crabplus.ilora import baselines
from crabplus.ilora.config import ILoraConfig
from crabplus.ilora.heads import without_head
from crabplus.ilora.layer import ILoraLayer, Linear
from crabplus.ilora.model import ILoraModel, adapted_layers
from crabplus.ilora.presets import AS_PUBLISHED, LANGUAGE_MODEL_ONLY, PRESETS
from crabplus.ilora.published import convert_published, load_published
from crabplus.ilora.register import register
from crabplus.ilora.routing import Routing, record_routing
from crabplus.ilora.watch import Pass, Watcher, place_of, watch_routing

__all__ = [
    "AS_PUBLISHED", "LANGUAGE_MODEL_ONLY", "PRESETS", "ILoraConfig", "ILoraLayer", "ILoraModel", "Linear", "Pass",
    "Routing", "Watcher", "adapted_layers", "baselines", "convert_published", "load_published", "place_of",
    "record_routing", "watch_routing", "without_head",
]  # fmt: skip

register(ILoraConfig, ILoraModel)
