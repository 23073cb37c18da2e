"""The decoder of TensorFlow.js weights, on a package of the same form that the test writes."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.errors import StudyError
from ddpm.features import inception
from ddpm.features.inception import empty_network as network
from stages.fetch import nsfwjs


def minified(value: object) -> str:
    """JSON -> what a minifier makes of it: bare keys, !0 and !1, .5 for 0.5."""
    text = json.dumps(value, separators=(",", ":"))
    text = re.sub(r'"([A-Za-z_$][\w$]*)":', r"\1:", text)
    text = text.replace("true", "!0").replace("false", "!1")
    return re.sub(r"(?<![\d\w\"])0\.", ".", text)


ENTRIES = [
    {"name": "conv2d_1/kernel", "shape": [3, 3, 3, 32], "scale": 0.0078125, "min": -1.0},
    {"name": "batch_normalization_1/beta", "shape": [32], "scale": 0.5, "min": 0.25},
]


def package(entries: list[dict[str, object]] = ENTRIES, extra: bytes = b"") -> dict[str, bytes]:
    count = sum(int(np.prod(np.array(e["shape"]))) for e in entries)
    data = bytes(i % 256 for i in range(count)) + extra
    weights = [
        {
            "name": e["name"],
            "shape": e["shape"],
            "dtype": "float32",
            "quantization": {"min": e["min"], "scale": e["scale"], "dtype": "uint8", "original_dtype": "float32"},
        }
        for e in entries
    ]
    manifest = [{"paths": ["group1-shard1of2", "group1-shard2of2"], "weights": weights}]
    model = {"modelTopology": {"keras_version": "2.1", "note": "a:b,!0 .5", "flag": True}, "weightsManifest": manifest}
    half = count // 2
    shards = {
        f"group1-shard{i}of2.min.js": f'!function(e){{module.exports="{base64.b64encode(part).decode()}"}}();'.encode()
        for i, part in enumerate((data[:half], data[half:]), 1)
    }
    return {"model.min.js": f"!function(){{e.exports={minified(model)}}},{{}}]}}".encode()} | shards


def test_decodes_what_was_encoded() -> None:
    arrays = nsfwjs.decode(package())
    assert list(arrays) == ["conv2d_1/kernel", "batch_normalization_1/beta"]
    kernel, beta = arrays.values()
    assert kernel.shape == (3, 3, 3, 32)
    assert kernel.dtype == np.float32
    flat = np.arange(864) % 256
    np.testing.assert_allclose(kernel.ravel(), flat * 0.0078125 - 1.0)
    np.testing.assert_allclose(beta, (np.arange(864, 896) % 256) * 0.5 + 0.25)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1000, 1000)
    | st.sampled_from([0.5, -0.25, 1e-7, 2.5])
    | st.text("ab:!0.,{}", max_size=8)
)
KEYS = st.from_regex(r"[a-z_$]\w{0,3}", fullmatch=True)


@given(st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=10))
def test_plain_json_is_left_as_it_is(value: object) -> None:
    text = json.dumps({"k": value}, separators=(",", ":"))
    assert nsfwjs.parse_object(text + "}]rest") == {"k": value}


def test_what_json_lacks() -> None:
    text = '{a:!0,b_2:[!1,.5,-.25,1.5],$c:"x:!0",d:{e:null}}'
    assert nsfwjs.parse_object(text) == {"a": True, "b_2": [False, 0.5, -0.25, 1.5], "$c": "x:!0", "d": {"e": None}}


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.pop("model.min.js"),
        lambda p: p.pop("group1-shard2of2.min.js"),
        lambda p: p.update({"model.min.js": b"nothing"}),
        lambda p: p.update({"model.min.js": p["model.min.js"][:-200]}),
        lambda p: p.update({"model.min.js": b"\xff" + p["model.min.js"]}),
        lambda p: p.update({"group1-shard1of2.min.js": b'module.exports="AAA"'}),
        lambda p: p.update(package(extra=b"more")),
        lambda p: p.update({"model.min.js": p["model.min.js"].replace(b'"uint8"', b'"uint16"')}),
    ],
)
def test_damage_is_one_line(damage) -> None:  # type: ignore[no-untyped-def]
    modules = package()
    damage(modules)
    with pytest.raises(StudyError) as caught:
        nsfwjs.decode(modules)
    assert "\n" not in str(caught.value)


def test_order_names_every_convolution_once() -> None:
    order = nsfwjs.keras_order()
    convolutions = {n.removesuffix(".conv.weight") for n in network("keras", 2048).state_dict() if ".conv." in n}
    assert len(order) == len(set(order)) == 94
    assert set(order) == convolutions


def test_state_dict_fits_the_network() -> None:
    net = network("keras", 2048)
    shapes = net.state_dict()
    arrays = {}
    for i, name in enumerate(nsfwjs.keras_order(), 1):
        out, cin, kh, kw = shapes[f"{name}.conv.weight"].shape
        arrays[f"conv2d_{i}/kernel"] = np.zeros((kh, kw, cin, out), np.float32)
        for part in ("beta", "moving_mean", "moving_variance"):
            arrays[f"batch_normalization_{i}/{part}"] = np.full(out, i, np.float32)
    state = nsfwjs.to_torchvision(arrays)
    inception.build(
        inception.get_extractor("inception-nsfwjs-2048"), {k: torch.from_numpy(v) for k, v in state.items()}
    )
    assert float(state["Mixed_7c.branch_pool.bn.bias"][0]) == 94
    with pytest.raises(StudyError, match="is missing"):
        nsfwjs.to_torchvision({k: v for k, v in arrays.items() if k != "conv2d_50/kernel"})
