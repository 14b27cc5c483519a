"""What holds for every test: no network for models, slow tests last."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the suite so that a mistake shows early: quick tests first, the rest as collected."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
