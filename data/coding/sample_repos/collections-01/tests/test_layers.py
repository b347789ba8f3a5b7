import pytest
from collectkit.base import KitKeyError
from collectkit.layers import LayeredDict

USER = {"color": "red", "pager": None}
SYSTEM = {"color": "blue", "pager": "less", "tabs": 8}


def test_first_layer_wins():
    assert LayeredDict(USER, SYSTEM)["color"] == "red"


def test_falls_through():
    assert LayeredDict(USER, SYSTEM)["tabs"] == 8


def test_absent():
    with pytest.raises(KitKeyError):
        LayeredDict(USER)["shell"]


def test_get_default():
    assert LayeredDict(USER).get("shell", "sh") == "sh"


def test_none_hides_lower_layers():
    assert LayeredDict(USER, SYSTEM)["pager"] is None


def test_none_beats_the_default():
    assert LayeredDict(USER).get("pager", "more") is None


def test_set_leaves_layers_alone():
    settings = LayeredDict(SYSTEM)
    settings["tabs"] = 4
    assert settings["tabs"] == 4
    assert SYSTEM["tabs"] == 8


def test_origin():
    assert LayeredDict(USER, SYSTEM).origin("tabs") == 2


def test_reset():
    settings = LayeredDict(SYSTEM)
    settings["tabs"] = None
    settings.reset("tabs")
    assert settings["tabs"] == 8


def test_reset_what_was_never_set():
    with pytest.raises(KitKeyError):
        LayeredDict(SYSTEM).reset("tabs")


def test_flatten():
    assert LayeredDict(USER, SYSTEM).flatten() == {"color": "red", "pager": None, "tabs": 8}
