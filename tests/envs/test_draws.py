import numpy as np

from envs import draws


def test_uniforms_are_uniform_and_streams_differ():
    out = np.empty((3, 20_000))
    draws.uniforms(np.array([1, 1, 2], np.uint64), np.array([0, 1, 0]), 5, 7, out)
    assert np.all((out >= 0) & (out < 1))
    assert np.allclose(out.mean(axis=1), 0.5, atol=0.01)
    assert np.abs(np.corrcoef(out)[np.triu_indices(3, 1)]).max() < 0.03
    again = np.empty((1, 20_000))
    draws.uniforms(np.array([2], np.uint64), np.array([0]), 5, 7, again)
    assert np.array_equal(again[0], out[2])  # neither the batch nor earlier draws matter


def test_normals_have_the_right_moments():
    key = draws.stream(np.uint64(3), 0, 1, 2)
    values = np.array([draws.normal(key, i) for i in range(40_000)])
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1.0) < 0.02
    assert abs(np.mean(np.abs(values) > 1.96) - 0.05) < 0.01
    assert np.abs(values).max() < 6.0
