"""What the model card of a saved adapter says about loading it: PEFT knows the method only once it is registered."""

from pathlib import Path

HEADING = "## How to load"
TEXT = f"""{HEADING}

This adapter is an I-LoRA adapter: `import crabplus.ilora` registers the method with PEFT and has to come first.

```python
import crabplus.ilora
from peft import PeftModel

model = PeftModel.from_pretrained(base_model, "path/or/name/of/this/adapter")
```
"""
EMPTY = "---\nlibrary_name: peft\ntags:\n- ilora\n---\n"


def note_import(folder: Path) -> None:
    """Add the section to the model card in ``folder``, or make one; a second call changes nothing."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else EMPTY
    if HEADING not in text:
        card.write_text(f"{text.rstrip()}\n\n{TEXT}", encoding="utf-8")
