"""Makes MiniStack fast enough for fleets: its stores look at what belongs to one account and region only. Nothing here
changes an answer."""

import gc

from ministack.core import responses


class ScopedStore(responses.AccountRegionScopedDict):
    """What MiniStack keeps of a service. The original walks the entries of every account for each list."""

    __slots__ = ("_scopes",)

    def __init__(self):
        super().__init__()
        # (account, region) -> {key: value}, beside the flat dictionary that a lookup uses.
        self._scopes = {}

    def _here(self):
        return self._scopes.get(self._prefix(), {})

    def _put(self, scoped, value):
        self._data[scoped] = value
        self._scopes.setdefault(scoped[:2], {})[scoped[2]] = value

    def _drop(self, scoped, *default):
        self._scopes.get(scoped[:2], {}).pop(scoped[2], None)
        return self._data.pop(scoped, *default)

    def __setitem__(self, key, value):
        self._put(self._scoped(key), value)

    def __delitem__(self, key):
        self._drop(self._scoped(key))

    def __len__(self):
        return len(self._here())

    def __bool__(self):
        return bool(self._here())

    def __iter__(self):
        return iter(list(self._here()))

    def set_scoped(self, account_id, region, key, value):
        self._put((account_id, region, key), value)

    def pop_scoped(self, account_id, region, key, *default):
        return self._drop((account_id, region, key), *default)

    def pop(self, key, *default):
        return self._drop(self._scoped(key), *default)

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def keys(self):
        return list(self._here())

    def values(self):
        return list(self._here().values())

    def items(self):
        return list(self._here().items())

    def values_scoped(self, account_id, region):
        return list(self._scopes.get((account_id, region), {}).values())

    def items_scoped(self, account_id, region):
        return list(self._scopes.get((account_id, region), {}).items())

    def update(self, other):
        # The original knows where entries of each kind belong, and writes them to the flat dictionary.
        super().update(other)
        for scoped, value in self._data.items():
            self._scopes.setdefault(scoped[:2], {})[scoped[2]] = value

    def clear(self):
        super().clear()
        self._scopes.clear()


def install():
    """To be called before `ministack.app` is imported, for services make their stores as they are."""
    responses.AccountRegionScopedDict = ScopedStore
    # A fleet is millions of small objects that stay: walking them again and again frees nothing.
    gc.set_threshold(200_000, 50, 1_000)
