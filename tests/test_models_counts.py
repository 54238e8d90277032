"""Every published variant has the reference counts."""

import math

import keras
import pytest

import keraslayers
from keraslayers import models
from tests.multiply_adds import multiply_adds

SPECS = [models.spec(name) for name in models.names()]
REFERENCES = [
    pytest.param(spec, reference, id="-".join([spec.name, *map(str, reference.options.values())]))
    for spec in SPECS
    for reference in spec.references
]


@pytest.mark.sweep
@pytest.mark.parametrize(("spec", "reference"), REFERENCES)
def test_counts_equal_the_reference(spec, reference):
    with keras.StatelessScope(initialize_variables=False):  # weights are counted, never made
        model = models.create(spec.name, **reference.options)
    keras.utils.clear_session(free_memory=False)  # which remembers what is to be made
    assert model.input_shape == (None, *reference.options.get("input_shape", spec.input_shape))
    assert model.count_params() == reference.parameters
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == reference.trainable_parameters
    # Sources differ in whether they count the convolutions of squeeze-and-excitation, below 1 %.
    if reference.multiply_adds:
        assert multiply_adds(model) == pytest.approx(reference.multiply_adds, rel=0.01)
        found = keraslayers.analyze(model)
        assert found.multiply_adds == multiply_adds(model)
        assert found.unknown == ()
        assert (found.parameters, found.trainable_parameters) == (
            reference.parameters,
            reference.trainable_parameters,
        )
    names = [operation.name for operation in model.operations]
    assert len(set(names)) == len(names)
