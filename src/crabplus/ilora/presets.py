"""Which layers of a Qwen2.5-Omni thinker are adapted: two ready-made regular expressions for ``target_modules``.

The published weights were made by matching the seven projection names as suffixes, which also reaches q, k and v of
every audio layer and gate, up and down of every vision block.
"""

_PROJECTIONS = "(?:q|k|v|o|gate|up|down)_proj"

AS_PUBLISHED = rf"(?:.*\.)?{_PROJECTIONS}"
LANGUAGE_MODEL_ONLY = rf"(?:.*\.)?language_model\..*\.{_PROJECTIONS}"

PRESETS: dict[str, str] = {"language-model-only": LANGUAGE_MODEL_ONLY, "as-published": AS_PUBLISHED}
"""Preset name to regular expression; ``ILoraConfig(target_modules=<preset name>)`` takes the names."""
