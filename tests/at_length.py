"""A property that tests try on some examples, once more on many of them, for `-m long`."""

import pytest
from hypothesis import HealthCheck, given, settings


def at_length(test, max_examples, *strategies):
    """The test of a property, on so many examples."""
    again = given(*strategies)(test.hypothesis.inner_test)
    every = settings(
        max_examples=max_examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    return pytest.mark.long(every(again))
