"""Any endpoint that speaks OpenAI's chat completions (`POST {base}/chat/completions`): a provider, vLLM, llama.cpp, Ollama.

Its address stands in the environment variable CURATE_API_BASE, its key in CURATE_API_KEY (none for a server that wants none). Neither is stored, logged or
told in a message. A whole answer has `timeout` seconds, drop by drop or not; 408, 409, 425, 429 and 5xx, a broken connection and what is no JSON are tried
again, with a pause that doubles, or the one that Retry-After asks for. 400, 413 and 422 refuse one request; other codes end the work, for the next would
end alike. A price needs --price: the answer's `usage` is multiplied by it. Without either the cost is not known, and said so.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, InputError
from curate.synthetic.generator import Ask, Generator, Lost, Opened, Options, Written, most_cost, told
from curate.synthetic.limits import Pace, Purse, Stop
from curate.synthetic.prompt import read_answer

if TYPE_CHECKING:
    import httpx

__all__ = ["GENERATOR"]

AGAIN = frozenset((408, 409, 425, 429, *range(500, 600)))
ONE = frozenset((400, 413, 422))
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_ASKED = 0.5, 30.0, 300.0
CONNECT = 10.0
BYTES = 16 << 20


class _Again(CurateError):
    """This try failed; another may not. pause: seconds that the endpoint asked for. charged: whether it may have been charged."""

    def __init__(self, why: str, pause: float | None = None, charged: bool = False) -> None:
        super().__init__(why)
        self.pause, self.charged = pause, charged


class _Refused(CurateError):
    """The endpoint will not answer this request."""


@dataclass(frozen=True)
class _Endpoint:
    """client: an open httpx client with the address and the key. secrets: what no message may hold."""

    client: httpx.Client
    model: str
    options: Options
    pace: Pace
    secrets: tuple[str, ...]

    def hidden(self, text: str) -> str:
        """A text without the address and the key, its first 200 characters."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:200]

    def write(self, ask: Ask, purse: Purse, stop: Stop) -> Written:
        """One answer. Raises Lost where none came after all tries, CostReached before one that might pass the limit."""
        said, begun, spent = told(ask), time.perf_counter(), 0.0
        upper = most_cost(said, self.options)
        for attempt in range(self.options.retries + 1):
            self.pace.wait(stop)
            purse.take(upper)
            try:
                answer = self._post(self._body(said, ask, attempt))
            except _Again as error:
                if error.charged:
                    spent += upper
                else:
                    purse.give_back(upper)
                if attempt == self.options.retries:
                    raise Lost(str(error)) from None
                stop.wait(self._pause(error, attempt))
            except _Refused as error:
                purse.give_back(upper)
                return Written(failed=str(error), seconds=time.perf_counter() - begun, cost=None if spent else 0.0, spent=spent)
            except InputError:
                purse.give_back(upper)
                raise
            else:
                cost = self._cost(answer)
                purse.settle(upper, upper if cost is None else cost)
                return self._written(answer, ask, time.perf_counter() - begun, cost, spent + (upper if cost is None else cost))
        raise AssertionError("a last try answers or raises")

    def _body(self, said: str, ask: Ask, attempt: int) -> dict[str, Any]:
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": said}],
            "temperature": self.options.temperature,
            "max_tokens": self.options.most,
            "seed": (ask.seed + attempt) % (1 << 31),
        }

    def _pause(self, error: _Again, attempt: int) -> float:
        """Seconds before the next try: what was asked for, up to five minutes, else doubling, a half of it by chance so that many do not come back at once."""
        if error.pause is not None:
            seconds = min(error.pause, LONGEST_ASKED)
            self.pace.pause(seconds)
            return seconds
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
        return float(longest * (0.5 + random.random() / 2))

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's JSON, read within the time and the size that an answer has."""
        import httpx

        until, late = time.monotonic() + self.options.timeout, _Again(f"no whole answer within {self.options.timeout:g} s", charged=True)
        try:
            with self.client.stream("POST", "chat/completions", json=body) as response, _ended_at(response, until):
                read = bytearray()
                for part in response.iter_bytes():
                    read += part
                    if time.monotonic() > until:
                        raise late
                    if len(read) > BYTES:
                        raise _Again(f"the answer is longer than {BYTES >> 20} MiB", charged=True)
            if time.monotonic() > until:
                raise late  # ended, and not by who answers
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Again(f"no connection ({self.hidden(str(error)) or type(error).__name__})") from None
        except httpx.TimeoutException:
            raise _Again(f"no answer within {self.options.timeout:g} s", charged=True) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            if time.monotonic() > until:
                raise late from None
            raise _Again(f"the connection broke ({self.hidden(str(error)) or type(error).__name__})", charged=True) from None
        return self._checked(response, bytes(read))

    def _checked(self, response: httpx.Response, read: bytes) -> dict[str, Any]:
        code = response.status_code
        if code != 200:
            said = f"HTTP {code}: {self.hidden(_message(read))}"
            if code in AGAIN:
                raise _Again(said, _asked_pause(response.headers))
            if code in ONE:
                raise _Refused(said)
            raise InputError("the endpoint in CURATE_API_BASE", self.hidden(said).rstrip("."), _remedy(code))
        try:
            found = json.loads(read)
        except ValueError:
            raise _Again("the answer is not JSON", charged=True) from None
        if not isinstance(found, dict) or not isinstance(_content(found), str):
            raise _Again("the answer's JSON has no choices[0].message.content", charged=True)
        return found

    def _cost(self, answer: Mapping[str, Any]) -> float | None:
        usage, price = answer.get("usage"), self.options.price
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
        known = [n for n in counts if isinstance(n, int) and n >= 0]
        return None if price is None or len(known) < 2 else (known[0] * price[0] + known[1] * price[1]) / 1e6

    def _written(self, answer: Mapping[str, Any], ask: Ask, seconds: float, cost: float | None, spent: float) -> Written:
        texts, why = read_answer(str(_content(answer)), ask.fields)
        if why and answer["choices"][0].get("finish_reason") == "length":
            why = "the answer was cut off at its longest (--most-tokens)"
        model = answer.get("model")
        named = model.encode("utf-8", "replace").decode() if isinstance(model, str) and model else self.model
        return Written(texts, why, named, seconds, cost, spent)


@contextmanager
def _ended_at(response: httpx.Response, until: float) -> Iterator[None]:
    """End the reading of an answer at a time: httpx counts its own limit anew from each read on."""
    socket: Any = response.extensions["network_stream"].get_extra_info("socket")

    def end() -> None:
        with suppress(OSError):
            socket.shutdown(SHUT_RDWR)  # wakes who reads, as close does not

    timer = threading.Timer(max(0.0, until - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _content(answer: Mapping[str, Any]) -> object:
    try:
        found: object = answer["choices"][0]["message"]["content"]
        return found
    except (LookupError, TypeError):
        return None


def _message(read: bytes) -> str:
    """What an error says of itself."""
    try:
        found: Any = json.loads(read)
        inner = found.get("error", found)
        return str(inner.get("message", inner) if isinstance(inner, dict) else inner)
    except (ValueError, AttributeError):
        return read[:500].decode("utf-8", "replace")


def _asked_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for; a date or nonsense asks for none."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _remedy(code: int) -> str:
    if code in (401, 403):
        return "Set CURATE_API_KEY to a key that it takes"
    if code == 404:
        return "Let CURATE_API_BASE end where /chat/completions follows, such as https://…/v1, and name a model that it has with --model"
    if 300 <= code < 400:
        return "It leads elsewhere: set CURATE_API_BASE to the final address, since a key is not sent after a redirect"
    return "See what it says, and run again: what was made is kept"


def _open(options: Options, texts: Callable[[], Iterable[str]]) -> Opened:
    import httpx

    del texts
    base, key = os.environ.get("CURATE_API_BASE", "").strip(), os.environ.get("CURATE_API_KEY", "").strip()
    if not base:
        raise InputError("CURATE_API_BASE", "is not set", "Set it to the address of an OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1")
    if not options.model:
        raise InputError("--model", "is not given", "Name a model that the endpoint has")
    try:
        address = httpx.URL(base.rstrip("/") + "/")
    except httpx.InvalidURL:
        address = httpx.URL("")
    if address.scheme not in ("http", "https") or not address.host:
        raise InputError("CURATE_API_BASE", "is no address that begins with http:// or https://", "Mend it, such as http://127.0.0.1:8000/v1")
    if not key.isascii() or not key.isprintable():
        raise InputError("CURATE_API_KEY", "has signs that no key has", "Set it anew")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx.Timeout(options.timeout, connect=min(CONNECT, options.timeout))
    client = httpx.Client(base_url=address, headers=headers, timeout=timeout, limits=httpx.Limits(max_connections=options.at_once))
    endpoint = _Endpoint(client, options.model, options, Pace(options.per_minute), _secrets(base, address, key))
    return Opened(options.model, lambda asks, purse, stop: [endpoint.write(ask, purse, stop) for ask in asks], 1, options.at_once, client.close)


def _secrets(base: str, address: httpx.URL, key: str) -> tuple[str, ...]:
    """The longest first, so that no part of one is left."""
    found = {key, base, str(address), str(address).rstrip("/"), address.netloc.decode(), address.host, address.userinfo.decode(), address.password}
    return tuple(sorted((s for s in found if len(s) > 3), key=lambda s: -len(s)))


GENERATOR = Generator(
    "endpoint",
    "A model behind any OpenAI-compatible endpoint: CURATE_API_BASE, and CURATE_API_KEY where it wants a key",
    {"label": "label", "source": "any", "cluster": "topic", "gap": "topic", "any": "any"},
    _open,
    sends=True,
)
