"""What makes two requests the same question: everything that shapes the answer, and no
more. The endpoint's address, the key and the prices are not part of it."""

from __future__ import annotations

import hashlib
import json

from pixel_core.data.annotation.requests import AnnotationRequest

#: Raised when what is hashed, or how it is sent, changes in meaning.
_VERSION = 1
#: How views are encoded (``picture_encoding``): raised when they would be other pixels.
ENCODING = "png-or-jpeg92-444/1"
_KNOWN = "_digest"


def request_digest(model: str, request: AnnotationRequest) -> bytes:
    """SHA-256 (32 bytes) of the model, what it is asked, and the pictures it is shown."""
    known = request.__dict__.get(_KNOWN)
    if known is not None and known[0] == model:
        return known[1]
    views = [
        (
            view.picture.sha256,
            view.region.as_tuple() if view.region else None,
            view.max_pixels,
        )
        for view in request.views
    ]
    parts = (
        _VERSION,
        ENCODING,
        model,
        request.task,
        request.messages,
        views,
        request.response_format,
        request.max_tokens,
        request.temperature,
        request.vote,
    )
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    # A request does not change, and it is asked for its digest at every step of its way.
    request.__dict__[_KNOWN] = model, digest
    return digest
