"""Content hashes of models: equal for equal tensors and configuration, wherever and however stored."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import torch


def fingerprint(configuration: Mapping[str, Any], *states: Mapping[str, torch.Tensor]) -> str:
    """The first 16 hex digits of a SHA-256 over configuration and tensors (names, types, shapes, bytes)."""
    digest = sha256(json.dumps(configuration, sort_keys=True).encode())
    for state in states:
        for name in sorted(state):
            tensor = state[name].detach().cpu().contiguous()
            digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
