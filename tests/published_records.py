"""Records of the published layout, made by us with the fields that upstream's loaders read, in both splits."""

from dataclasses import replace
from typing import Any

from crabplus.schema import ChoiceAnswer, Event, EventsAnswer, LabelAnswer, Object, ObjectsAnswer, TextAnswer

CLIP = {"video_path": "k1.mp4", "audio_path": "k1.mp3"}
IMAGE = {"image_path": "v1s/k1/frames/0.jpg", "audio_path": "v1s/k1/audio.wav"}
VISUAL = {"visual_path": "v1s/k1/frames/3.jpg", "audio_path": "v1s/k1/audio.wav"}
BOX = Object("dog", (56 / 224, 0.0, 112 / 224, 1.0))
POINTED = replace(BOX, points=((60.5 / 224, 10.5 / 224),))
A2V = {"video1_path": "a.mp4", "video2_path": "b.mp4", "audio_path": "c.mp3"}
V2A = {"audio1_path": "a.mp3", "audio2_path": "b.mp3", "video_path": "c.mp4"}
THU = {
    "id": 7, "video_name": "k1_000030", "video_id": 12, "question_relation": "Both", "question_type": "Which",
    "multi_choice": ["Train", None, "rain", "2"], "question_text": "What sounds?", **CLIP,
}  # fmt: skip
MUSIC = {
    "video_id": "00000001", "question_id": 5, "question": "How many?", "answer": "two", **CLIP,
    "type": '["Audio-Visual", "Counting"]',
}  # fmt: skip
AVE = {"event": "Violin, fiddle", "vid": "k1", "start_time": 2, "end_time": "8", **CLIP}
LLP = {"filename": "k1_20_30", "vid": "k1", "event": "Speech,Dog", **CLIP}
THING = {"vid": "k1", "uid": "k1_0", "a_obj": "dog"}
SENSES = EventsAnswer((Event("Speech", 0, 4, "audio"), Event("Dog", 2, 10, "visual")))

TRAIN: dict[str, tuple[dict[str, Any], Any]] = {
    "a2v": ({"audio_event": "x", "video1_event": "x", "video2_event": "y", **A2V, "correct_video": "1",
             "label": "Rain fits. <answer>one</answer>."}, ChoiceAnswer(0)),
    "v2a": ({"audio1_event": "x", "video_event": "y", "audio2_event": "y", **V2A, "correct_audio": 2,
             "label": "Rain fits. <answer>two</answer>."}, ChoiceAnswer(1)),
    "ks": ({"action": "bowling", **CLIP, "label": "A lane. <answer>bowling</answer>"}, LabelAnswer("bowling")),
    "ucf": ({"label": "TaiChi", "new_label": "Slow. <answer>TaiChi</answer>", **CLIP}, LabelAnswer("TaiChi")),
    "meld": ({"Emotion": "joy", "label": "A laugh. <answer>joy</answer>.", **CLIP}, LabelAnswer("joy")),
    "mer24": ({"discrete": "happy", "label": "A laugh. <answer>happy</answer>.", **CLIP}, LabelAnswer("happy")),
    **{key: ({"emotion": "sad", "label": "Tears. <answer>sad</answer>.", **CLIP}, LabelAnswer("sad"))
       for key in ("cremad", "mafw", "dfew")},
    "avqa": ({**MUSIC, "label": "Two play. <answer> two </answer>"}, TextAnswer("two")),
    "avqa_thu": ({**THU, "answer": "rain", "label": "It pours. <answer>rain</answer>"}, ChoiceAnswer(2)),
    "ave": ({**AVE, "label_content": "A bow moves. <event>Violin, fiddle, (2 8)</event>"},
            EventsAnswer((Event("Violin, fiddle", 2, 8),))),
    "unav": ({"vid": "k1", "label_content": "They eat. <event>people eating, (0 3)(7 10)</event>", **CLIP},
             EventsAnswer((Event("people eating", 0, 3), Event("people eating", 7, 10)))),
    "avvp": ({**LLP, "label_content": "Both. <visual>Dog,(2 10)</visual> <audio>Speech,(0 4)</audio>"}, SENSES),
    "avcap": ({"video_id": "k1_0_10", "label_content": "A dog barks.", **CLIP}, TextAnswer("A dog barks.")),
    "s4": ({**THING, **IMAGE, "label_content": "It barks. dog [56,0,112,224] [60,10]"}, ObjectsAnswer((POINTED,))),
    "ms3": ({**THING, **IMAGE, "frame_idx": 4, "label_content": "It barks. <obj>dog (56,0)(112,224) (60,10)</obj>"},
            ObjectsAnswer((POINTED,))),
    "arig": ({"a_obj": "dog", **IMAGE, "label_content": "It barks. <obj>(56,0)(112,224)</obj>."},
             ObjectsAnswer((BOX,))),
    "ref_avs": ({"vid": "k1", "fid": "1", "uid": "k1_0", "idx": 3, "description": "the loud one", **IMAGE,
                 "output": "None. <answer>false</answer>"}, ObjectsAnswer(present=False)),
}  # fmt: skip
TEST: dict[str, tuple[dict[str, Any], Any]] = {
    "a2v": ({**A2V, "correct_video": 1}, ChoiceAnswer(0)),
    "v2a": ({**V2A, "correct_audio": "two"}, ChoiceAnswer(1)),
    "ks": ({"action": "bowling", **CLIP}, LabelAnswer("bowling")),
    "ucf": ({"label": "TaiChi", **CLIP}, LabelAnswer("TaiChi")),
    "meld": ({"Emotion": "joy", **CLIP}, LabelAnswer("joy")),
    **{key: ({"emotion": "sad", **CLIP}, LabelAnswer("sad")) for key in ("cremad", "mafw", "dfew")},
    "avqa": (MUSIC, TextAnswer("two")),
    "avqa_thu": ({**THU, "answer": 1}, ChoiceAnswer(1)),
    "ave": (AVE, EventsAnswer((Event("Violin, fiddle", 2, 8),))),
    "avvp": (LLP, None),
    "s4": ({**THING, **VISUAL, "frame_idx": 3}, None),
    "ms3": ({**THING, **VISUAL, "frame_idx": 3}, None),
    "arig": ({"top_left": [56, 0], "bottom_right": "(112,224)", "a_obj": "dog", "frame_idx": 3, **VISUAL},
             ObjectsAnswer((BOX,))),
    "ref_avs": ({"object": "the loud one", "split": "test_n", "vid": "k1", "uid": "k1_0", "fid": "1", "frame_idx": 3,
                 **VISUAL}, ObjectsAnswer(present=False)),
}  # fmt: skip
