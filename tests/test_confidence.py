"""How sure a model was: probabilities of tokens, and the pieces of text that parts of an answer were read from."""

from math import log

import pytest
import torch

from crabplus.confidence import Recorder, Said, answer_span, with_confidence
from crabplus.models import resolve
from crabplus.schema import Sample
from crabplus.tasks import get_task, load_pack

PACK = load_pack(f"{resolve('tiny')}/pack.yaml")


def said(text, words):
    """Text whose pieces, each with its probability, come one after the other."""
    ends, logs, at = [], [], 0
    for word, probability in words:
        at = text.index(word, at) + len(word)
        ends.append(at)
        logs.append(log(probability))
    return Said(text, tuple(ends), tuple(logs))


def test_confidence_is_the_geometric_mean_of_the_tokens_in_a_span():
    made = said("one two three", [("one", 0.5), (" two", 0.2), (" three", 0.8)])
    assert made.confidence((0, 13)) == pytest.approx(0.431, abs=1e-3)
    assert made.confidence((0, 3)) == 0.5 and made.confidence((4, 6)) == 0.2
    assert made.confidence((0, 2), (9, 10)) == pytest.approx(0.632, abs=1e-3)
    assert Said("").confidence((0, 5)) is None


def test_every_range_and_every_event_has_its_own():
    text = "I hear. <event>dog, (0 3)(7 10)</event><event>cat, (1 2)</event>"
    made = said(text, [("I hear.", 0.1), (" <event>dog,", 1.0), (" (0 3)", 0.9), ("(7 10)", 0.4), ("</event>", 1.0),
                       ("<event>cat,", 0.3), (" (1 2)</event>", 0.3)])  # fmt: skip
    task, sample = get_task("unav"), Sample("a", "own", "unav", "own")
    first, second, third = with_confidence(task.parse(text), text, made.confidence, task, sample, PACK).events
    assert first.confidence == pytest.approx(0.949, abs=1e-3) and second.confidence == pytest.approx(0.632, abs=1e-3)
    assert third.confidence == pytest.approx(0.3)
    assert text[slice(*answer_span(text))].startswith("<event>dog")


def test_things_and_senses_have_theirs():
    text = "<obj>dog (1,1)(5,5)</obj><obj>cat (2,2)(9,9)</obj>"
    made = said(text, [("<obj>dog (1,1)(5,5)</obj>", 0.7), ("<obj>cat (2,2)(9,9)</obj>", 0.2)])
    task, sample = get_task("ms3"), Sample("a", "own", "ms3", "own")
    things = with_confidence(task.parse(text, sample, PACK), text, made.confidence, task, sample, PACK).objects
    assert [thing.confidence for thing in things] == [0.7, 0.2]

    text = "<audio>dog, (0 3)</audio><visual>dog, (0 3)</visual>"
    made = said(text, [("<audio>dog, (0 3)</audio>", 0.6), ("<visual>dog, (0 3)</visual>", 0.5)])
    task = get_task("avvp")
    events = with_confidence(task.parse(text), text, made.confidence, task, sample, PACK).events
    assert [(event.modality, event.confidence) for event in events] == [("audio", 0.6), ("visual", 0.5)]


def test_answers_without_tags_have_that_of_the_whole_text():
    text = "frog from 3 to 7, bell from 0 to 5"
    made = said(text, [("frog from 3 to 7,", 0.5), (" bell from 0 to 5", 0.5)])
    task, sample = get_task("hear"), Sample("a", "own", "hear", "own")
    events = with_confidence(task.parse(text), text, made.confidence, task, sample, PACK).events
    assert [(event.label, event.confidence) for event in events] == [("frog", 0.5), ("bell", 0.5)]


class Third:
    """Leaves nothing but the third token."""

    def __call__(self, ids, scores):
        kept = torch.full_like(scores, -torch.inf)
        kept[:, 2] = 0.0
        return kept


def test_the_recorder_keeps_what_the_model_thought_of_the_token_that_was_taken():
    scores = torch.log(torch.tensor([[0.6, 0.3, 0.1]]))
    free, held = Recorder(), Recorder([Third()])
    assert torch.equal(free(None, scores), scores) and free.logs[0].exp().item() == pytest.approx(0.6)
    assert held(None, scores).argmax() == 2 and held.logs[0].exp().item() == pytest.approx(0.1)


def test_tokens_know_where_in_the_text_they_end():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve("tiny"))
    text = "I hear the frog. <event> frog, ( 2 8)</event>"
    ids = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id]
    recorder = Recorder()
    recorder.logs = [torch.tensor([-float(n)]) for n in range(len(ids))]
    (made,) = recorder.read(torch.tensor([ids]), tokenizer)
    assert made.text == text and made.ends[-1] == len(text) and len(made.logs) == len(ids) - 2
    pieces = [text[begin:end] for begin, end in zip((0, *made.ends), made.ends, strict=False)]
    assert "".join(pieces) == text and " frog" in pieces
