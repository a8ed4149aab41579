"""Trained at one number of steps, run at another."""

import pytest
import torch

from cells.network import Network
from cells.steps import at_steps, recalibrate
from space.errors import UsageError
from space.parse import parse_architecture

TEXT = """
striate: 1
name: steps
input: {{channels: 2, size: 5, classes: 3}}
time: {{steps: {steps}, unroll: sweep}}
areas:
  h1:
    drive: []
    absent: undefined
edges:
  forward: [{{from: image, to: h1, via: [conv: {{kernel: 3, channels: 4}}], active: {{last: 0}}}}]
  lateral:
    - {{from: h1, to: h1, enters: drive, via: []}}
    - {{from: h1, to: h1, enters: drive, via: [norm: {{{norm}}}, relu, conv: {{kernel: 3{untied}}}]}}
train: {{data: digits, learning_rate: 0.1}}
"""
PER_STEP = "kind: batch, affine: step, statistics: step"


def network(steps=4, norm="kind: layer", untied=""):
    graph = parse_architecture(TEXT.format(steps=steps, norm=norm, untied=untied), "steps.yaml")[1]
    found = Network(graph, 0).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    for seed in range(3):
        found(images(seed))
    return found.eval()


def images(seed=0, count=6):
    return torch.randn(count, 2, 5, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_the_same_weights_run_for_another_number_of_steps(steps):
    """As a network built for that number, with these weights."""
    other = Network(parse_architecture(TEXT.format(steps=steps, norm="kind: layer", untied=""), "other.yaml")[1], 0)
    other = other.double()
    other.load_state_dict(network().state_dict())
    assert torch.equal(at_steps(network(), steps)(images()), other(images()))


def test_norms_of_each_step_are_refused_at_steps_that_were_not_trained_unless_told():
    trained = network(norm=PER_STEP)
    with pytest.raises(UsageError, match=r"but in 6 steps edges.h1>h1#2.0 is needed at step 4 too; ask for 4, or"):
        at_steps(trained, 6)
    assert torch.equal(at_steps(trained, 4)(images()), trained(images()))


def test_clamped_norms_are_those_of_the_last_trained_step():
    trained = network(norm=PER_STEP)
    longer = network(steps=6, norm=PER_STEP)
    weights = trained.state_dict()
    wanted = {}
    for name in longer.state_dict():
        late = name
        for step in (4, 5):
            late = late.replace(f".{step}.", ".3.")
        wanted[name] = weights[late]
    longer.load_state_dict(wanted)
    torch.testing.assert_close(at_steps(trained, 6, "clamp")(images()), longer(images()), rtol=1e-12, atol=1e-12)


def test_recalibrated_statistics_are_the_mean_over_the_batches_at_each_new_step():
    trained = network(norm=PER_STEP)
    other = at_steps(trained, 6, "recalibrate")
    before = {name: value.clone() for name, value in other.state_dict().items()}
    seen = {}
    (norm,) = other.norms.values()
    norm.register_forward_hook(
        lambda _, given, at, __: seen.setdefault(int(at["statistics"]), []).append(given[0].detach()), with_kwargs=True
    )
    recalibrate(other, other.answers, [images(seed) for seed in range(3)])
    assert seen.keys() == {1, 2, 3, 4, 5}
    for step in (4, 5):
        mean = torch.stack([each.mean(dim=(0, 2, 3)) for each in seen[step]]).mean(dim=0)
        variance = torch.stack([each.var(dim=(0, 2, 3)) for each in seen[step]]).mean(dim=0)
        kept = norm.statistics[str(step)]
        torch.testing.assert_close(kept.running_mean, mean)
        torch.testing.assert_close(kept.running_var, variance)
    changed = {name for name, value in other.state_dict().items() if not torch.equal(value, before[name])}
    place = "edges.h1>h1#2.0.statistics"
    assert changed == {f"{place}.{step}.running_{name}" for step in (4, 5) for name in ("mean", "var")}
    assert not any(each.training for each in other.modules())
    assert set(trained.norms["edges.h1>h1#2.0"].statistics) == {"1", "2", "3"}


def test_statistics_are_estimated_on_maps_as_evaluation_has_them():
    """By what was trained, in the same precision, and with nothing dropped."""
    text = TEXT.format(steps=4, norm=PER_STEP, untied="").replace("relu, conv", "dropout: {rate: 0.5}, conv")
    text = text.replace("via: []", "via: [norm: {kind: batch}]")
    trained, found = Network(parse_architecture(text, "dropping.yaml")[1], 0).eval(), []
    for seed, lowered in ((0, False), (1, False), (1, True)):
        other = at_steps(trained, 5, "recalibrate")

        def answers(shown, other=other, lowered=lowered):
            with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
                return other.answers(shown)

        torch.manual_seed(seed)
        recalibrate(other, answers, [images(count=3).float()])
        found.append(other.get_buffer("edges.h1>h1#2.0.statistics.4.running_mean"))
        shared = other.get_buffer("edges.h1>h1.0.statistics.shared.running_mean")
        assert torch.equal(shared, trained.get_buffer("edges.h1>h1.0.statistics.shared.running_mean"))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    torch.testing.assert_close(found[1], found[2], rtol=0.1, atol=0.02)


def test_a_batch_norm_is_refused_in_a_number_of_steps_in_which_no_image_reaches_it_at_one_that_matters():
    """Through an edge of three steps, what the second area was at step 0 matters in five steps, and not in four."""
    text = """
striate: 1
name: late
input: {channels: 2, size: 5, classes: 3}
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 1, channels: 2}]}
  V2: {drive: [conv: {kernel: 1, channels: 2}, norm: {kind: batch}]}
edges:
  lateral: [{from: V2, to: V2, delay: 3, via: []}]
train: {data: digits, learning_rate: 0.1}
"""
    trained = Network(parse_architecture(text, "late.yaml")[1], 0)
    assert at_steps(trained, 3).graph.steps == 3
    rule = r"compares images, but in 5 steps areas.V2.drive.1 is needed at step 0, where none has reached what it reads"
    with pytest.raises(UsageError, match=rf"{rule}; ask for 4 steps"):
        at_steps(trained, 5)


def test_untied_weights_have_no_more_steps_than_they_were_trained_at():
    with pytest.raises(UsageError, match=r"but in 5 steps edges.h1>h1#2.2 is needed at step 4 too"):
        at_steps(network(untied=", untied: true"), 5, "clamp")


def test_a_number_of_steps_at_which_no_image_is_read_out_is_refused():
    graph = parse_architecture(TEXT.format(steps=4, norm="kind: layer", untied="").replace("sweep", "biological"), "b")[
        1
    ]
    with pytest.raises(UsageError, match=r"read out by the last step, but not in 1; ask for at least 2$"):
        at_steps(Network(graph, 0), 1)


SHORT = """
striate: 1
name: short
input: {channels: 2, size: 5, classes: 3}
time: {steps: 4}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4UNTIED}, NORM, elu], absent: undefined}
train: {data: digits, learning_rate: 0.1}
"""


def short(norm="elu", untied=""):
    text = SHORT.replace("UNTIED", untied).replace("NORM", norm)
    return Network(parse_architecture(text, "short.yaml")[1], 0).eval()


def test_weights_and_norms_of_each_step_are_refused_at_fewer_steps_that_need_others():
    """A single area is read at the step before the last alone: at step 2 of 4, which is none of those of 3."""
    with pytest.raises(UsageError, match=r"but in 3 steps areas.V1.drive.0 is needed at step 1 too; ask for 4 steps"):
        at_steps(short(untied=", untied: true"), 3)
    norm = "norm: {kind: batch, statistics: step}"
    with pytest.raises(UsageError, match=r"but in 3 steps areas.V1.drive.1 is needed at step 1 too; ask for 4, or"):
        at_steps(short(norm=norm), 3)
    for policy in ("clamp", "recalibrate"):
        assert torch.equal(at_steps(short(norm=norm), 3, policy)(images().float()), short(norm=norm)(images().float()))


def test_a_norm_of_each_step_that_was_trained_at_none_is_refused_whatever_it_should_do():
    text = TEXT.format(steps=3, norm=PER_STEP, untied="").replace("enters: drive, via: [norm", "delay: 4, via: [norm")
    trained = Network(parse_architecture(text, "never.yaml")[1], 0)
    with pytest.raises(UsageError, match="which was trained at none; ask for 3"):
        at_steps(trained, 6, "clamp")


def test_what_is_concatenated_is_there_at_the_same_steps_of_any_number():
    text = TEXT.format(steps=4, norm="kind: layer", untied="").replace(
        "drive: []", "drive: [conv: {kernel: 1, channels: 4}]"
    )
    text = text.replace("undefined", "zeros").replace("    absent", "    joins: {drive: concat}\n    absent")
    text = text.replace("lateral:", "skip: []").split("    - {from: h1")[0]
    text = text.replace("active: {last: 0}}", "active: {last: 4}}, {from: image, to: h1}")
    graph = parse_architecture(text + "train: {data: digits, learning_rate: 0.1}\n", "joined.yaml")[1]
    assert at_steps(Network(graph, 0), 5).graph.steps == 5
    with pytest.raises(UsageError, match="in 6 what enters h1 at drive is not; ask for another number of steps"):
        at_steps(Network(graph, 0), 6)


def test_steps_after_the_image_may_be_too_many():
    text = """
striate: 1
name: flash
input: {channels: 1, size: 8, classes: 10}
time: {steps: 1, unroll: sweep, stimulus: {shown: 1}}
areas: {V1: {drive: [conv: {kernel: 3, channels: 4}]}}
train: {data: digits, learning_rate: 0.1}
"""
    graph = parse_architecture(text, "flash.yaml")[1]
    with pytest.raises(UsageError, match=r"read out by the last step, but not in 2; ask for fewer$"):
        graph.at_steps(2)
