"""One function per task key: from a random generator to a scene and what is asked about it.

A further key is one more function in the table of its family.
"""

from collections.abc import Callable

import numpy as np

from crabplus.tidepool.ask import Ask
from crabplus.tidepool.keys.actions import ACTIONS
from crabplus.tidepool.keys.captions import CAPTIONS
from crabplus.tidepool.keys.choices import CHOICES
from crabplus.tidepool.keys.emotions import EMOTIONS
from crabplus.tidepool.keys.events import EVENTS
from crabplus.tidepool.keys.matching import MATCHING
from crabplus.tidepool.keys.places import PLACED
from crabplus.tidepool.keys.questions import QUESTIONS

__all__ = ["KEYS"]

KEYS: dict[str, Callable[[np.random.Generator], Ask]] = {
    **MATCHING, **ACTIONS, **EMOTIONS, **QUESTIONS, **CHOICES, **EVENTS, **PLACED, **CAPTIONS,
}  # fmt: skip
