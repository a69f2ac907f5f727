"""Each key in a few words, for people who have not met its name."""

from crabplus.tasks.base import Task

__all__ = ["summary_of"]

_SUMMARIES = {
    "a2v": "which of two films belongs to a sound",
    "v2a": "which of two sounds belongs to a film",
    "ks": "what is done, of the actions of Kinetics-Sounds",
    "ucf": "what is done, of the actions of UCF",
    "meld": "what the speaker of a dialogue feels (MELD)",
    "mer24": "what a speaker feels (MER 2024)",
    "cremad": "what an actor shows while speaking a sentence (CREMA-D)",
    "mafw": "what somebody in a film feels (MAFW)",
    "dfew": "what somebody in a film feels (DFEW)",
    "avqa": "questions about music clips, answered by a word (MUSIC-AVQA)",
    "avqa_thu": "questions about daily life, one answer of four (AVQA)",
    "ave": "when the one event of a clip is both seen and heard (AVE)",
    "unav": "when each event of an untrimmed clip begins and ends (UnAV-100)",
    "avvp": "when each event is heard, and when it is seen (LLP)",
    "arig": "the box of what makes the sound (ARIG)",
    "s4": "the one thing that sounds, for its mask (AVSBench S4)",
    "ms3": "all things that sound, for their masks (AVSBench MS3)",
    "ref_avs": "what an expression refers to, or that it is nothing there (Ref-AVS)",
    "avcap": "a sentence on what is seen and heard",
}


def summary_of(task: Task) -> str:
    """What is asked in a few words; the family of a task that is none of the nineteen."""
    return _SUMMARIES.get(task.key, task.family)
