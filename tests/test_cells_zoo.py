"""The shipped recurrent networks of other papers, against the same networks written as their authors do."""

import dataclasses
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cells.network import Network
from space.parse import LIBRARY, find, parse_architecture
from space.plan import plan

PAPERS = ("liao-poggio", "cornet", "b-", "bl-", "blt-", "rcnn", "resnet")
ZOO = sorted(path.stem for path in (LIBRARY / "zoo").glob("*.yaml") if path.stem.startswith(PAPERS))


def graph_of(name, size=None, thinner=1):
    """A shipped architecture, for images of another size, and with fewer maps.

    Where the size is odd, all padding is symmetric.
    """
    text, file = find(name)
    text = re.sub(r"\bchannels: (\d\d+)", lambda found: f"channels: {int(found[1]) // thinner}", text)
    if size:
        text = re.sub(r"\bsize: \d+", f"size: {size}", text)
    return parse_architecture(text, file)[1]


def randomised(graph):
    """A network in double precision with every parameter and every running statistic moved off its start."""
    network = Network(graph, 0).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1.3
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for buffer in network.buffers():
            buffer += 0.3 * torch.rand(buffer.shape, generator=generator, dtype=torch.float64)
    return network


def images_of(graph, images=2):
    return torch.randn(images, *graph.input_shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


SIZES = {"liao": 16, "cornet": 64, "resnet": 64, "bl": 64}  # by the first part of a name; others are as they are


@pytest.mark.parametrize("name", ZOO)
def test_every_network_trains_and_all_that_it_learns_has_a_gradient(name):
    graph = graph_of(name, SIZES.get(name.partition("-")[0]))
    network = Network(graph, 0)
    images = images_of(graph).float()
    network.loss(network.answers(images), torch.tensor([0, 1])).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not without
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    network.eval()
    with torch.no_grad():
        assert network(images[:1]).isfinite().all()


# Residual networks.


class TiedResNet(nn.Module):
    """Ten pre-activation blocks of one pair of convolutions, each block with norms of its own."""

    def __init__(self, blocks=10, maps=64):
        super().__init__()
        self.image = nn.Conv2d(3, maps, 3, padding=1, bias=False)
        self.first = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.second = nn.Conv2d(maps, maps, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(maps, affine=False) for _ in range(2 * blocks))
        self.last = nn.BatchNorm2d(maps)
        self.classes = nn.Linear(maps, 10)

    def forward(self, x):
        x = self.image(x)
        for before, between in zip(self.norms[::2], self.norms[1::2], strict=True):
            x = x + self.second(F.relu(between(self.first(F.relu(before(x))))))
        return self.classes(F.relu(self.last(x)).mean(dim=(2, 3)))


def test_a_resnet_of_tied_blocks_is_the_1_state_network():
    """Outputs, the gradients summed over blocks, the running statistics of each, and outputs by these."""
    network = randomised(graph_of("liao-poggio-1-state", 12))
    literal = TiedResNet().double()
    pairs = [("image", "edges.image>h1.0"), ("first", "edges.h1>h1.2"), ("second", "edges.h1>h1.5")]
    pairs += [("last", "areas.out.drive.0"), ("classes", "readout")]
    pairs += [(f"norms.{2 * block}", f"edges.h1>h1.0.statistics.{block + 1}") for block in range(10)]
    pairs += [(f"norms.{2 * block + 1}", f"edges.h1>h1.3.statistics.{block + 1}") for block in range(10)]
    copy(literal, network, pairs)

    images = images_of(network.graph, 3)
    found, wanted = network(images), literal(images)
    torch.testing.assert_close(found, wanted)
    mixture = torch.linspace(-1, 2, found.numel(), dtype=found.dtype).view_as(found)
    (found * mixture).sum().backward()
    (wanted * mixture).sum().backward()
    ours = dict(network.named_parameters())
    for name, parameter in literal.named_parameters():
        owner, _, last = name.rpartition(".")
        torch.testing.assert_close(ours[f"{dict(pairs)[owner]}.{last}"].grad, parameter.grad)
    torch.testing.assert_close(network.eval()(images), literal.eval()(images))


class Block(nn.Module):
    """Two convolutions beside a shortcut, which projects where the stride is 2."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride == 2:
            projection = nn.Conv2d(inputs, outputs, 1, 2, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x):
        inside = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inside + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        made = []
        for stage, number in enumerate(blocks):
            for block in range(number):
                enters = block == 0 and stage > 0
                made.append(Block(64 << stage - enters, 64 << stage, 2 if enters else 1))
        self.blocks = nn.Sequential(*made)
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = self.blocks(self.maxpool(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean(dim=(2, 3)))


@pytest.mark.parametrize("training", [False, True])
def test_resnet_18_is_a_network_of_four_states(training):
    network = randomised(graph_of("resnet-18", 33)).train(training)
    literal = ResNet((2, 2, 2, 2)).double().train(training)
    pairs = [("conv1", "edges.image>h1.0"), ("bn1", "edges.image>h1.1"), ("fc", "readout")]
    for block in range(8):
        stage, step = block // 2 + 1, block + 1
        if block in (2, 4, 6):
            entry = f"edges.h{stage - 1}>h{stage}"
            pairs += [(f"blocks.{block}.{name}", f"{entry}.{at}") for name, at in TWO_CONVOLUTIONS]
            pairs += [(f"blocks.{block}.shortcut.{at}", f"{entry}#2.{at}") for at in (0, 1)]
        else:
            pairs += [
                (f"blocks.{block}.{name}", f"edges.h{stage}>h{stage}.{at}.{step}") for name, at in TWO_CONVOLUTIONS
            ]
    copy(literal, network, pairs)
    images = images_of(network.graph, 3)
    with torch.no_grad():
        torch.testing.assert_close(network(images), literal(images))


TWO_CONVOLUTIONS = (("conv1", 0), ("bn1", 1), ("conv2", 3), ("bn2", 4))


def copy(literal, network, pairs):
    """Give modules of a literal network the weights and the running statistics of ours; every one must be met."""
    ours = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    left = {name for name in literal.state_dict() if not name.endswith("num_batches_tracked")}
    with torch.no_grad():
        for theirs, place in pairs:
            for name, value in literal.get_submodule(theirs).state_dict().items():
                if name == "num_batches_tracked":
                    continue
                value.copy_(next(ours[each] for each in places(place, name) if each in ours))
                left.remove(f"{theirs}.{name}")
    assert not left


def places(place, name):
    """Where a parameter or a statistic of a module may stand: the statistics of a step are beside what it learns."""
    owner, _, step = place.rpartition(".")
    return f"{place}.{name}", f"{place}.statistics.shared.{name}", f"{owner}.statistics.{step}.{name}"


# Transitions between several states.


def test_the_2_state_network_sums_the_transitions_from_states_that_are_there():
    network = randomised(graph_of("liao-poggio-2-state-recurrent", 10)).eval()
    learnt = Weights(network)
    image = images_of(network.graph)

    def transition(edge, h, step):
        for norm, conv in ((0, 2), (3, 5)):
            h = learnt.conv(f"edges.{edge}.{conv}", F.relu(learnt.batch(f"edges.{edge}.{norm}", h, step)))
        return h

    states = {1: learnt.conv("edges.image>h1.0", image)}
    for step in range(1, 11):
        after = {}
        for target in (1, 2) if step < 10 else (2,):
            terms = [transition(f"h{source}>h{target}", h, step) for source, h in states.items()]
            terms += [states[target]] if target in states else []
            after[target] = sum(terms)
        states = after
    out = F.relu(learnt.batch("areas.out.drive.0", states[2]))
    torch.testing.assert_close(network(image), learnt.readout(out))


class Weights:
    """What a network has learnt, applied by its names."""

    def __init__(self, network):
        self.kept = {**dict(network.named_parameters()), **dict(network.named_buffers())}

    def conv(self, place, x, stride=1):
        weight = self.kept[f"{place}.weight"]
        return F.conv2d(x, weight, self.kept.get(f"{place}.bias"), stride, padding=weight.shape[-1] // 2)

    def batch(self, place, x, step=None, own_affine=False):
        statistics = f"{place}.statistics.{'shared' if step is None else step}"
        affine = f"{place}.{step}" if own_affine else place
        mean, variance = self.kept[f"{statistics}.running_mean"], self.kept[f"{statistics}.running_var"]
        return F.batch_norm(x, mean, variance, self.kept.get(f"{affine}.weight"), self.kept.get(f"{affine}.bias"))

    def group(self, place, x):
        return F.group_norm(x, 32, self.kept[f"{place}.weight"], self.kept[f"{place}.bias"])

    def readout(self, y):
        return F.linear(y.mean(dim=(2, 3)), self.kept["readout.weight"], self.kept["readout.bias"])


# CORnets.

CORTEX = ("V1", "V2", "V4", "IT")


def cornet_area(learnt, name, given, state, shape):
    """One step of an area of CORnet-R and -RT: without input, zeros stand for the first convolution and its norm."""
    x = torch.zeros(shape, dtype=torch.float64)
    if given is not None:
        place = f"areas.{name}.drive"
        x = F.relu(learnt.group(f"{place}.1", learnt.conv(f"{place}.0", given, 4 if name == "V1" else 2)))
    place = f"areas.{name}.post"
    return F.relu(learnt.group(f"{place}.1", learnt.conv(f"{place}.0", x + state)))


def cornet(learnt, image, kind):
    """IT of CORnet-R or -RT at each of five steps."""
    shapes = dict(zip(CORTEX, [(2, 64 << rank, size, size) for rank, size in enumerate((9, 5, 3, 2))], strict=True))
    states = dict.fromkeys(CORTEX, 0.0)
    emitted = {}
    found = []
    for step in range(5):
        before, emitted = emitted, {}
        for below, name in zip((None, *CORTEX), CORTEX, strict=False):
            given = image if below is None else None
            if below is not None and step > 0:
                given = before[below] if kind == "rt" else emitted[below]
            emitted[name] = cornet_area(learnt, name, given, states[name], shapes[name])
        states = emitted
        found.append(emitted["IT"])
    return found


@pytest.mark.parametrize(("kind", "first"), [("rt", 3), ("r", 1)])
def test_cornet_r_and_rt_are_their_loops_and_it_is_first_driven_at(kind, first):
    network = randomised(graph_of(f"cornet-{kind}", 33))
    graph = network.graph
    image = images_of(graph).requires_grad_()
    learnt = Weights(network)
    for step, it in enumerate(cornet(learnt, image, kind)):
        # An answer at every step, whether the image can have reached it or not; if not, one for the whole batch.
        answer = dataclasses.replace(graph.answer, steps=(step,))
        network.run(plan(dataclasses.replace(graph, answer=answer)))
        found = network(image)
        torch.testing.assert_close(found.expand(2, -1), learnt.readout(it))
        (gradient,) = torch.autograd.grad(found.sum(), image, allow_unused=True)
        assert (gradient is not None and bool(gradient.any())) == (step >= first)


def test_cornet_s_is_its_bottlenecks_one_after_another():
    network = randomised(graph_of("cornet-s", 65, thinner=8)).eval()
    learnt = Weights(network)
    image = images_of(network.graph)
    with torch.no_grad():
        x = F.relu(learnt.batch("areas.V1.drive.1", learnt.conv("areas.V1.drive.0", image, 2)))
        x = F.max_pool2d(x, 3, 2, padding=1)
        x = F.relu(learnt.batch("areas.V1.post.1", learnt.conv("areas.V1.post.0", x)))
        for below, name, first, times in (("V1", "V2", 1, 2), ("V2", "V4", 3, 4), ("V4", "IT", 7, 2)):
            entry = f"edges.{below}>{name}"
            x = learnt.conv(f"weights.{name}-in", x)
            for time in range(times):
                again = time > 0
                skip = x if again else learnt.batch(f"{entry}.2", learnt.conv(f"{entry}.1", x, 2))
                # Norms stand after each convolution; those of the first time are of the edge from below.
                norms = (
                    [f"edges.{name}>{name}.{at}" for at in (1, 4, 7)]
                    if again
                    else [f"{entry}#2.{at}" for at in (2, 5, 8)]
                )
                step = first + time if again else None
                for norm, part in zip(norms, ("expand", "spatial", "contract"), strict=True):
                    stride = 2 if part == "spatial" and not again else 1
                    x = learnt.batch(norm, learnt.conv(f"weights.{name}-{part}", x, stride), step, own_affine=again)
                    x = F.relu(x) if part != "contract" else F.relu(x + skip)
        torch.testing.assert_close(network(image), learnt.readout(x))


# Lateral and top-down connections.


def test_blt_is_its_loop_and_answers_at_every_step():
    network = randomised(graph_of("blt-2017"))
    learnt = Weights(network)
    image = images_of(network.graph)
    low = high = None
    answers = []
    for _ in range(4):
        z = learnt.conv("areas.layer1.drive.0", image)
        if low is not None:
            z = z + learnt.conv("edges.layer1>layer1.0", low)
            # With even maps, the pixel that a stride of 2 starts from is the top left one: nothing is cut there.
            weight = learnt.kept["edges.layer2>layer1.0.weight"]
            z = z + F.conv_transpose2d(high, weight, stride=2)[:, :, :32, :32]
        below = F.relu(z)
        z = learnt.conv("areas.layer2.drive.1", F.max_pool2d(below, 2))
        high = F.relu(z if low is None else z + learnt.conv("edges.layer2>layer2.0", high))
        low = below
        answers.append(learnt.readout(high.amax(dim=(2, 3), keepdim=True)))
    torch.testing.assert_close(network.answers(image), torch.stack(answers))


def test_bl_has_norms_of_each_step_and_answers_at_every_step():
    network = randomised(graph_of("bl-2020", 64, thinner=16)).eval()
    learnt = Weights(network)
    image = images_of(network.graph)
    before = {}
    answers = []
    for step in range(8):
        x = image
        for number in range(1, 8):
            name = f"layer{number}"
            if number == 1:
                z = learnt.conv(f"areas.{name}.drive.0", x)
            else:
                z = learnt.conv(f"areas.{name}.drive.1", F.max_pool2d(x, 2))
            if name in before:
                z = z + learnt.conv(f"edges.{name}>{name}.0", before[name])
            x = before[name] = F.relu(learnt.batch(f"areas.{name}.post.0", z, step, own_affine=True))
        answers.append(learnt.readout(x))
    torch.testing.assert_close(network.answers(image), torch.stack(answers))
    torch.testing.assert_close(network(image), answers[-1])


def test_rcnn_runs_each_of_its_layers_four_times_on_what_the_one_below_left():
    """Pools count the windows that reach over the border, as the authors' library did."""
    network = randomised(graph_of("rcnn-96")).eval()
    learnt = Weights(network)
    image = images_of(network.graph)
    x = F.max_pool2d(F.relu(learnt.conv("areas.conv.drive.0", image)), 3, 2, ceil_mode=True)
    forward = ["areas.layer1.drive.0", "edges.layer1>driven2.1", "edges.layer2>driven3.2", "edges.layer3>driven4.1"]
    for number, place in enumerate(forward, 1):
        driven = learnt.conv(place, F.max_pool2d(x, 3, 2, ceil_mode=True) if number == 3 else x)
        x = F.relu(driven)
        for _ in range(3):
            x = F.relu(driven + learnt.conv(f"edges.layer{number}>layer{number}.0", x))
    torch.testing.assert_close(network(image), learnt.readout(x.amax(dim=(2, 3), keepdim=True)))
