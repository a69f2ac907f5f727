"""A sample of every task key, with an answer and a line of reasoning."""

from crabplus.schema import (
    ChoiceAnswer,
    Event,
    EventsAnswer,
    LabelAnswer,
    Media,
    Object,
    ObjectsAnswer,
    Sample,
    TextAnswer,
)

CLIP = Media("clip", "video", "a.mp4")
SECOND = Media("second", "video", "b.mp4", sound="none")
FRAME, SOUND = Media("frame", "image", "a.jpg"), Media("sound", "audio", "a.wav")
DOG = Object("dog", (0.25, 0.5, 0.5, 0.75))
POINTED = Object("dog", (0.25, 0.5, 0.5, 0.75), ((6.5 / 28, 14.5 / 28),))
EVENTS = EventsAnswer((Event("dog", 3, 7),))
APART = EventsAnswer((Event("Speech", 0, 4, "audio"), Event("Dog", 2, 10, "visual")))


def sample_of(key, answer, media=(CLIP,), **more):
    return Sample("1", "d", key, "test", media, answer=answer, reasoning="I hear it.", **more)


SAMPLES = {
    "a2v": sample_of("a2v", ChoiceAnswer(1), (SOUND, SECOND, SECOND), options=("one", "two")),
    "v2a": sample_of("v2a", ChoiceAnswer(0), (SECOND, SOUND, SOUND), options=("one", "two")),
    "ks": sample_of("ks", LabelAnswer("tapping pen"), options=("tapping pen", "singing")),
    "ucf": sample_of("ucf", LabelAnswer("PlayingCello")),
    **{key: sample_of(key, LabelAnswer("joy"), options=("joy", "anger")) for key in
       ("meld", "mer24", "cremad", "mafw", "dfew")},
    "avqa": sample_of("avqa", TextAnswer("left"), question="Where?"),
    "avqa_thu": sample_of("avqa_thu", ChoiceAnswer(2), question="What?",
                          options=("Train", "Dog", "rain", "A man sings")),
    "ave": sample_of("ave", EVENTS),
    "unav": sample_of("unav", EventsAnswer((Event("dog", 3, 7), Event("dog", 8, 9), Event("cat, black", 0, 2.5)))),
    "avvp": sample_of("avvp", APART),
    "arig": sample_of("arig", ObjectsAnswer((DOG,)), (FRAME, SOUND)),
    "s4": sample_of("s4", ObjectsAnswer((POINTED,)), (FRAME, SOUND)),
    "ms3": sample_of("ms3", ObjectsAnswer((POINTED, DOG)), (FRAME, SOUND)),
    "ref_avs": sample_of("ref_avs", ObjectsAnswer((POINTED,)), (FRAME, SOUND), question="the barking one"),
    "avcap": sample_of("avcap", TextAnswer("A dog barks, and a man laughs.")),
}  # fmt: skip
