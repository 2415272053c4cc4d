"""The order of the tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process makes the finished study first; meanwhile the others run what does not need it."""
    needing = [item.path for item in items if "finished" in getattr(item, "fixturenames", ())]
    items.sort(key=lambda item: 0 if item.path in needing[:1] else 2 if item.path in needing else 1)
