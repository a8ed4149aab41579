"""Where the images have their channels together, so have all maps: what is mixed is copied again and again."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cells.network import Network
from space.parse import find, parse_architecture


class Mixed(TorchDispatchMode):
    """Notes what reads maps of images of both layouts."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        read = [each for given in args for each in (given if isinstance(given, list | tuple) else [given])]
        maps = [each for each in read if isinstance(each, torch.Tensor) and each.dim() == 4]
        maps = [each for each in maps if min(each.shape[:3]) > 1]  # else it cannot be seen, or is of the whole batch
        known = {each.stride(1) == 1 for each in maps}
        if len(known) == 2:
            self.found.add((function.__name__, *(tuple(each.shape) for each in maps)))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(("name", "size"), [("convrnn-median", 64), ("rgc-2018", 128)])
def test_all_maps_are_laid_out_as_the_images(name, size):
    text, file = find(name)
    text = text.replace("size: 128", f"size: {size}").replace("classes: 1000", "classes: 3")
    _, graph = parse_architecture(text, file)
    network = Network(graph, 0).to(memory_format=torch.channels_last)
    images = torch.randn(2, *graph.input_shape).to(memory_format=torch.channels_last)
    with Mixed() as mixed:
        network(images)
    assert not mixed.found
