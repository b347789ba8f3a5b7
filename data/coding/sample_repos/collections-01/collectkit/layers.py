"""Dictionaries stacked on each other."""

from collectkit.base import MISSING, KitKeyError


class LayeredDict:
    """Looks a key up in the layers from the first to the last; writes go to the first one only."""

    def __init__(self, *layers):
        self._layers = [{}, *layers]

    def __getitem__(self, key):
        value = self.get(key, MISSING)
        if value is None:
            raise KitKeyError(key)
        return value

    def __setitem__(self, key, value):
        self._layers[0][key] = value

    def __contains__(self, key):
        return any(key in layer for layer in self._layers)

    def get(self, key, default=None):
        """The value in the first layer that has the key, or the default."""
        for layer in self._layers:
            if layer.get(key, MISSING) is not MISSING:
                return layer[key]
        return default

    def origin(self, key):
        """Number of the layer that a key is taken from; 0 are values that were set later."""
        for number, layer in enumerate(self._layers):
            if key in layer:
                return number
        raise KitKeyError(key)

    def reset(self, key):
        """Drop a value that was set later, so that the layers below show again."""
        if self._layers[0].pop(key, MISSING) is MISSING:
            raise KitKeyError(key)

    def flatten(self):
        """One plain dictionary with what every key is at present."""
        flat = {}
        for layer in reversed(self._layers):
            flat.update(layer)
        return flat
