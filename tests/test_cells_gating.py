"""The kernels of gated updates against the equation written out; without a GPU, as Triton's interpreter runs them."""

import itertools

import pytest
import torch
from torch import Tensor

from cells.gating import Gate, Gating, _Fused, _is_fused, are_rows

ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
FUNCTIONS = ("elu", "relu", "tanh", "sigmoid", "identity")
GATES = (None, Gate("sigmoid", scale=-0.922, offset=0.922), Gate("tanh", scale=0.5, offset=-0.3))
LAYOUTS = (torch.contiguous_format, torch.channels_last)
SHAPE = (3, 5, 16, 9)  # of 2,160 numbers: two blocks and some


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    """Triton decides where its kernels run when it meets them."""
    with pytest.MonkeyPatch.context() as patched:
        if not ON_GPU:
            patched.setenv("TRITON_INTERPRET", "1")
        pytest.importorskip("triton")
        import cells.gating_kernels  # noqa: F401

        yield


def maps(gating, layout=torch.contiguous_format, seed=0):
    """State, what enters and the sums of the gates, in bfloat16."""
    generator = torch.Generator().manual_seed(seed)
    given = []
    for wanted in (True, True, gating.keep, gating.admit):
        some = 2 * torch.randn(SHAPE, generator=generator)
        some = some.to(DEVICE, torch.bfloat16).contiguous(memory_format=layout)
        given.append(some.requires_grad_() if wanted else None)
    return given


def there(found, wanted):
    """Rounded once to eight bits, and gradients of an activation near its corner."""
    torch.testing.assert_close(found.double(), wanted, rtol=2**-7, atol=2**-9)


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize(("keep", "admit"), list(itertools.product(GATES, GATES)), ids=str)
def test_the_kernels_compute_the_equation_and_its_gradients(keep, admit, activation):
    gating = Gating(keep, admit, activation)
    for layout in LAYOUTS:
        given = maps(gating, layout)
        exact = [None if each is None else each.detach().double().requires_grad_() for each in given]
        wanted = gating.written_out(*exact)
        found = _Fused.apply(*given, gating)
        assert found.dtype == torch.bfloat16 and found.is_contiguous(memory_format=layout)
        there(found, wanted)
        back = torch.linspace(-1, 2, wanted.numel(), device=DEVICE).view_as(wanted).to(torch.bfloat16)
        wanted.backward(back.double())
        found.backward(back)  # which is laid out as it is, whatever the maps are
        for one, other in zip(given, exact, strict=True):
            if one is not None:
                assert isinstance(one.grad, Tensor)
                there(one.grad, other.grad)


def test_gradients_of_gradients_are_those_of_the_equation():
    """Also where the gates' sums are made of the state, as in every cell."""
    gating = Gating(GATES[1], GATES[2], "tanh")
    found = []
    for kind, run in (
        (torch.bfloat16, lambda *given: _Fused.apply(*given, gating)),
        (torch.float64, gating.written_out),
    ):
        before, entering = (each.detach().to(kind).requires_grad_() for each in maps(gating)[:2])
        after = run(before, entering, before * 2, before * entering)
        first = torch.autograd.grad(after.sum(), (before, entering), create_graph=True)
        second = torch.autograd.grad(sum(each.square().sum() for each in first), (before, entering))
        found.append([*first, *second])
    for one, other in zip(*found, strict=True):
        size = float(other.detach().abs().max())
        torch.testing.assert_close(one.detach().double(), other.detach(), rtol=0, atol=0.03 * size)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_small_numbers_keep_their_digits(activation):
    gating = Gating(Gate("tanh", scale=1.0, offset=0.0), None, activation)
    small = torch.tensor([-1e-2, -9e-3, -1e-4, -1e-6, -1e-8, 0.0, 1e-8, 1e-6, 1e-4, 9e-3, 1e-2], device=DEVICE)
    before, keep = torch.ones_like(small).bfloat16(), small.bfloat16()
    found = _Fused.apply(before, torch.zeros_like(before), keep, None, gating)
    wanted = gating.written_out(before.double(), torch.zeros_like(before).double(), keep.double(), None)
    torch.testing.assert_close(found.double(), wanted, rtol=2**-7, atol=0)  # the interpreter cuts where a GPU rounds


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_what_is_not_a_number_stays_so(activation):
    """As the loss of a network that has diverged must."""
    before = torch.full((4,), float("nan"), device=DEVICE, dtype=torch.bfloat16)
    assert _Fused.apply(before, torch.zeros_like(before), None, None, Gating(None, None, activation)).isnan().all()


def test_only_what_is_alike_and_in_bfloat16_on_a_gpu_is_fused():
    alike = maps(Gating(GATES[1], GATES[2], "elu"))
    assert are_rows(alike) and are_rows([each.contiguous(memory_format=torch.channels_last) for each in alike])
    assert not are_rows([alike[0].float(), *alike[1:]])
    assert not are_rows([each.float() for each in alike])
    assert not are_rows([alike[0][:1], *alike[1:]])
    assert not are_rows([alike[0].contiguous(memory_format=torch.channels_last), *alike[1:]])
    assert not are_rows([each[:, 1:] for each in alike])
    assert _is_fused(*alike) == ON_GPU


def test_where_nothing_is_fused_the_equation_is_computed():
    gating = Gating(GATES[1], None, "relu")
    before, entering, keep, _ = (each if each is None else each.double() for each in maps(gating))
    wanted = torch.relu((0.922 - 0.922 * torch.sigmoid(keep)) * before + entering)
    torch.testing.assert_close(gating.update(before, entering, keep, None), wanted)
