"""The bits of a record that say which test pixels a method got right."""

import base64

import numpy as np


def right_of(record):
    """One bool per test pixel, in ascending order of their flat indices."""
    content = base64.b64decode(record["maps"]["right"].encode("ascii"), validate=True)
    bits, size = np.unpackbits(np.frombuffer(content, np.uint8)).astype(bool), record["split"]["test"]["size"]
    assert len(content) == -(-size // 8) and not bits[size:].any()
    return bits[:size]
