"""Keys and passwords in addresses: s3://key:secret@bucket, https://name:password@host, https://host/file?token=…; and those of the environment, in a text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["KEYS_REMEDY", "holds_keys", "texts_in", "without_keys"]

SECRETS = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "CURATE_API_KEY", "RAY_AUTH_TOKEN"),
    *("STREAMLIT_SERVER_COOKIE_SECRET", "OPENAI_API_KEY"),
)
"""Names of the environment whose values are told nowhere."""
HIDDEN = "…"
KEYS_REMEDY = "Take them out and put them into the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or HF_TOKEN"
_ADDRESS = re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}:/{1,2})([^\s\"'<>]+)", re.IGNORECASE)
_IN_S3 = re.compile(r"[^/:@]*:(?:[^@]*(?=@)|[^/]*)")  # a secret of Amazon's may hold a slash
_IN_HOST = re.compile(r"[^/?#]*(?=@)")
_ASKED = re.compile(r"([?&#;][\w.-]*(?:key|token|secret|sig|signature|credential|passwd|password|pwd|auth)[\w.-]*=)([^&#;…]+)", re.IGNORECASE)


def without_keys(text: str) -> str:
    """A text with … in the place of keys: in addresses what stands before the host and the values of telling names, anywhere the environment's `SECRETS`.

    An address may have lost one of its slashes, as it does where it is taken for a path.
    """
    for value in {os.environ.get(name, "") for name in SECRETS}:
        text = text.replace(value, HIDDEN) if len(value) >= 8 else text
    while ":/" in text and (told := _ADDRESS.sub(_bare, text)) != text:
        text = told  # what is left may read as an address anew
    return text


def holds_keys(text: str) -> bool:
    """Whether there are any."""
    return without_keys(text) != text


def _bare(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    before = (_IN_S3.match(rest) if scheme.lower().startswith("s3") else None) or _IN_HOST.match(rest)
    rest = rest if before is None else HIDDEN + rest[before.end() :]
    return scheme + _ASKED.sub(rf"\1{HIDDEN}", rest)


def texts_in(given: Any) -> Iterator[str]:
    """Every text in nested mappings and lists; what YAML's aliases name many times is read once, for a few lines may stand for more than can be read."""
    left, seen = [given], set[int]()
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif id(one) in seen:
            continue
        elif isinstance(one, Mapping):
            seen.add(id(one))
            left += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            seen.add(id(one))
            left += one
