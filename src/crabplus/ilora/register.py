"""Makes the method known to PEFT.

``peft.utils.register_peft_method`` takes only names of a closed enum, so the entries are written into PEFT's mappings
here, and nowhere else.
"""

from typing import Any

from peft.config import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner

from crabplus.ilora.peft_type import ILORA, PREFIX


def register(config_class: type[PeftConfig], model_class: type[BaseTuner]) -> None:
    """Enter configuration, tuner and parameter prefix in PEFT's mappings; a second call changes nothing.

    Raises:
        RuntimeError: something else has already taken the name or the prefix.
    """
    _enter(PEFT_TYPE_TO_CONFIG_MAPPING, config_class)
    _enter(PEFT_TYPE_TO_TUNER_MAPPING, model_class)
    others = [kind for kind, prefix in PEFT_TYPE_TO_PREFIX_MAPPING.items() if prefix == PREFIX and kind != ILORA]
    if others:
        raise RuntimeError(f"PEFT's prefix {PREFIX!r} is already taken by {others[0]!r}")
    _enter(PEFT_TYPE_TO_PREFIX_MAPPING, PREFIX)


def _enter(mapping: dict[Any, Any], entry: object) -> None:
    taken = mapping.setdefault(ILORA, entry)
    if taken is not entry and taken != entry:
        raise RuntimeError(f"PEFT's name {ILORA.value!r} is already taken by {taken!r}")
