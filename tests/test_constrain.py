"""Constrained decoding: whatever the scores are an answer comes out, the best allowed token is taken, batches agree."""

import re
from dataclasses import replace

import pytest
import regex
import torch

from crabplus.api import CrabPlus
from crabplus.constrain import REASONING, RESERVE, Constraint, forms_of
from crabplus.data import encode
from crabplus.generate import generate
from crabplus.models import resolve
from crabplus.schema import ChoiceAnswer
from crabplus.tasks import TASKS, default_pack, get_task, load_pack
from crabplus.tidepool.keys import KEYS
from crabplus.tidepool.live import LiveSamples
from every_key import SAMPLES, sample_of

TINY = load_pack(resolve("tiny") + "/pack.yaml")
PACK = {key: TINY if number % 2 else default_pack() for number, key in enumerate(SAMPLES)}


@pytest.fixture(scope="module")
def model():
    return CrabPlus.from_pretrained("tiny").model


@pytest.fixture(scope="module")
def tokenizer(model):
    return model.processor.tokenizer


@pytest.fixture(scope="module")
def rows():
    return [LiveSamples(dict.fromkeys(KEYS, 1.0), KEYS, 78, 12)[n] for n in range(12)]


def spoken(tokenizer, patterns, scores, limit=96):
    """What greedy decoding makes of scores, given as a function of the step, behind prompts of five tokens."""
    stop = tokenizer.eos_token_id
    held = Constraint(patterns, tokenizer, 5, [stop], limit)
    ids = torch.full((len(patterns), 5), 11)
    for step in range(limit):
        ended = (ids[:, 5:] == stop).any(1)
        if ended.all():
            break
        given = scores(step)
        kept = held(ids, given)
        assert torch.equal(kept[ended], given[ended])  # a row that is finished is left alone
        best = kept.argmax(1).masked_fill(ended, tokenizer.pad_token_id)
        ids = torch.cat([ids, best[:, None]], 1)
    return [text.strip() for text in tokenizer.batch_decode(ids[:, 5:], skip_special_tokens=True)]


def noise(tokenizer, count, seed):
    draws = torch.Generator().manual_seed(seed)
    return lambda step: 3 * torch.randn(count, len(tokenizer) + 20, generator=draws)  # some names are of no token


def one(tokenizer, token, count):
    """Scores that always favour one token, and behind it the others at random."""
    fixed = noise(tokenizer, 1, 0)(0).expand(count, -1).clone()
    fixed[:, token] = 99
    return lambda step: fixed


@pytest.mark.parametrize("reasoning", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_the_scores_an_answer_comes_out(tokenizer, reasoning, seed):
    patterns = [forms_of(sample, PACK[key], reasoning, True) for key, sample in SAMPLES.items()]
    texts = spoken(tokenizer, patterns, noise(tokenizer, len(patterns), seed))
    for (key, sample), text, pattern in zip(SAMPLES.items(), texts, patterns, strict=True):
        found = get_task(key).read(text, sample, PACK[key])
        assert found.answer is not None, (key, text, found.reason)
        assert pattern.fullmatch(text) and (found.reasoning is not None) == reasoning, (key, text)


@pytest.mark.parametrize("favourite", ["<|im_end|>", "<|AUDIO|>", "<", "a", "Ġ", "æ", "1", ")", ","])
def test_a_model_that_wants_one_token_all_the_time_gives_an_answer(tokenizer, favourite):
    keys = ("avqa_thu", "ucf", "ave", "avvp", "ms3", "ref_avs", "avcap")
    patterns = [forms_of(SAMPLES[key], PACK[key], reasoning, True) for key in keys for reasoning in (True, False)]
    token = tokenizer.convert_tokens_to_ids(favourite)
    texts = spoken(tokenizer, patterns, one(tokenizer, token, len(patterns)))
    for key, text in zip((key for key in keys for _ in range(2)), texts, strict=True):
        assert get_task(key).parse(text, SAMPLES[key], PACK[key]) is not None, (key, text)


def test_half_characters_become_whole_ones(tokenizer):
    """In this vocabulary no character outside ASCII is one token."""
    names = ("café", "犬小屋", "naïveté", "大きい犬")
    sample = sample_of("avqa_thu", ChoiceAnswer(0), question="What?", options=names)
    said = set()
    for seed in range(5):
        patterns = [forms_of(sample, default_pack(), reasoning, True) for reasoning in (True, False)]
        for text in spoken(tokenizer, patterns, noise(tokenizer, 2, seed), limit=60):
            answer = get_task("avqa_thu").parse(text, sample, default_pack())
            said.add(names[answer.index])
    assert len(said) > 2
    ids = iter([*tokenizer("<caption>犬 rennt</caption>")["input_ids"], tokenizer.eos_token_id])
    free = lambda step: torch.nn.functional.one_hot(torch.tensor([next(ids)]), len(tokenizer)).float()  # noqa: E731
    captions = spoken(tokenizer, [forms_of(SAMPLES["avcap"], TINY, False, True)], free)
    assert captions == ["<caption>犬 rennt</caption>"]


@pytest.mark.parametrize("limit", [96, 300])
def test_reasoning_ends_in_time(tokenizer, limit):
    a = tokenizer.convert_tokens_to_ids("a")
    (text,) = spoken(tokenizer, [forms_of(SAMPLES["ave"], TINY, True, True)], one(tokenizer, a, 1), limit)
    reasoning = re.match(r"a*", text)[0]
    assert len(reasoning) == limit - min(RESERVE, limit // 3)
    assert re.fullmatch(r">?\s?<event>.*</event>", text.removeprefix(reasoning))  # one token is "><"
    assert get_task("ave").parse(text, SAMPLES["ave"], TINY) is not None


def test_the_shortest_answer_where_there_is_room_for_nothing_else(tokenizer):
    patterns = [forms_of(SAMPLES[key], TINY, True, True) for key in ("ave", "ref_avs", "a2v")]
    texts = spoken(tokenizer, patterns, noise(tokenizer, 3, 0), limit=20)
    assert texts == ["<event></event>", "<answer>false</answer>", "<answer>one</answer>"]


@pytest.mark.parametrize("key", ["avqa_thu", "ucf", "unav", "avvp", "avcap", "arig"])
def test_it_is_the_best_of_all_tokens_that_can_still_become_an_answer(tokenizer, key):
    """Against partial matching of the regex module, which asks of each token whether the text could go on."""
    pattern = forms_of(SAMPLES[key], PACK[key], False, True)
    greedy = re.sub(r"([?}])\?", r"\1", pattern.pattern)  # its partial matching takes lazy quantifiers wrongly
    partly, stop = regex.compile(greedy), tokenizer.eos_token_id
    held, text = Constraint([pattern], tokenizer, 0, [stop], 900), []
    words = {n: tokenizer.decode([n], skip_special_tokens=True) for n in range(len(tokenizer))}
    plain = [n for n, word in words.items() if word.isascii() and word.isprintable() and word]
    draws = torch.Generator().manual_seed(5)
    for _ in range(40):
        scores = torch.full((1, len(tokenizer)), -torch.inf)
        scores[0, [*plain, stop]] = torch.randn(len(plain) + 1, generator=draws)
        best = next(
            n for n in scores[0].argsort(descending=True).tolist()
            if (partly.fullmatch(tokenizer.decode(text)) if n == stop
                else partly.fullmatch(tokenizer.decode([*text, n]), partial=True))
        )  # fmt: skip
        assert held(torch.tensor([text], dtype=torch.long).reshape(1, -1), scores).argmax() == best
        text.append(best)
        if best == stop:
            break


def test_without_reasoning_a_text_opens_with_a_tag():
    for key, sample in SAMPLES.items():
        opens = TASKS[key].opening(sample)[0]
        opened = forms_of(sample, PACK[key], False, False)
        assert opened.fullmatch(f"{opens}\nanything <at> all") and not opened.fullmatch("I hear")
        assert forms_of(sample, PACK[key], True, False) is None
        assert forms_of(sample, PACK[key], True, True).pattern.startswith(REASONING)
    assert forms_of(replace(SAMPLES["ave"], task="hear"), TINY, False, False) is None  # it has no tags to open with


def test_a_row_without_a_pattern_is_left_alone(tokenizer):
    scores = noise(tokenizer, 2, 0)(0)
    held = Constraint([None, forms_of(SAMPLES["ave"], TINY, False, True)], tokenizer, 0, [2], 96)
    kept = held(torch.zeros((2, 0), dtype=torch.long), scores)
    assert torch.equal(kept[0], scores[0]) and kept[1].isfinite().sum() == 1


def patterns_of(rows, *how):
    return [forms_of(sample, TINY, *how) for sample, _ in rows]


def generated(*asked):
    return [said.text for said in generate(*asked)]


@pytest.mark.slow
def test_answers_of_the_model(model, rows):
    encoded = [encode(model, sample, source, TINY, target=False) for sample, source in rows]
    free = generated(model, encoded, TINY.max_new_tokens)
    held = generated(model, encoded, TINY.max_new_tokens, patterns_of(rows, True, True))
    fit = [bool(pattern.fullmatch(text)) for pattern, text in zip(patterns_of(rows, True, True), free, strict=True)]
    assert sum(fit) > 8 and [h for h, ok in zip(held, fit, strict=True) if ok] == [
        f for f, ok in zip(free, fit, strict=True) if ok
    ]
    bare = [encode(model, sample, source, TINY, target=False, reasoning=False) for sample, source in rows]
    short = generated(model, bare, TINY.max_new_tokens, patterns_of(rows, False, True))
    opened = generated(model, bare, TINY.max_new_tokens, patterns_of(rows, False, False))
    assert len(set(map(len, short))) > 3  # rows that end sooner and later
    for (sample, _), *texts in zip(rows, held, short, opened, strict=True):
        task = get_task(sample.task)
        assert all(task.parse(text, sample, TINY) is not None for text in texts[:2]), texts
        assert all(text.startswith(task.opening(sample)) for text in texts[1:]), texts


@pytest.mark.parametrize(
    "how",
    [
        pytest.param((True, True), marks=pytest.mark.slow),
        pytest.param((False, True), marks=pytest.mark.slow),
        (False, False),
    ],
)
def test_a_batch_and_one_by_one_give_the_same(model, rows, how):
    encoded = [encode(model, sample, source, TINY, target=False, reasoning=how[0]) for sample, source in rows[:8]]
    patterns = patterns_of(rows[:8], *how)
    batch = generated(model, encoded, 60, patterns)
    single = [generated(model, [item], 60, [pattern])[0] for item, pattern in zip(encoded, patterns, strict=True)]
    assert batch == single and len(set(batch)) > 3
