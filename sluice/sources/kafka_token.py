"""Tokens for OAUTHBEARER from a function of the user's own: `token.callback`, a property that is not librdkafka's."""

from __future__ import annotations

import importlib
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError

from sluice.errors import WrongSettings
from sluice.sources.kafka_errors import Trouble, translated
from sluice.sources.msk_iam import MskIam

PROPERTY: Final = "token.callback"
MSK_IAM: Final = "msk-iam"
# As confluent-kafka's oauth_cb: sasl.oauthbearer.config in; out a token and its expiry, or these with principal and
# extensions.
Ask: TypeAlias = Callable[[str | None], Any]

_DEADLINE_S: Final = 20.0
_MILLISECONDS: Final = 1e11  # as seconds, the year 5138


class TokenCallback:
    """The user's function, which may raise, hang, or return no token. Nothing that it says is shown: it may be a token.

    Args:
        name: as the property has it.
        deadline_s: for one token.
    """

    def __init__(self, name: str, ask: Ask, *, deadline_s: float = _DEADLINE_S) -> None:
        self._name = name
        self._ask = ask
        self._deadline_s = deadline_s

    def serving(self, config: str | None, trouble: Trouble, where: str) -> Ask:
        """Get the first token here and now, and return what a client is given as its `oauth_cb`.

        A client that gets none at its making waits ten seconds for it, and then does not say why.

        Args:
            where: the addresses.

        Raises:
            SourceRefused: there is no token, and why.
        """
        try:
            first = [self._token(config)]
        except _NoTokenError as none:
            raise translated(none.error, where) from None

        def token(asked: str | None) -> Any:
            """Called on a thread of librdkafka's, at once and whenever most of a token's life is over."""
            try:
                return first.pop() if first else self._token(asked)
            except _NoTokenError as none:
                trouble(none.error)
                raise  # librdkafka asks again in ten seconds

        return token

    def _token(self, config: str | None) -> Any:
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # On a thread of its own: while it hangs, librdkafka lets go of a client not even at its end.
        threading.Thread(target=self._answer, args=(config, answers), name=PROPERTY, daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline_s)
        except queue.Empty:
            raise _NoTokenError(f"{self._name} gave none within {self._deadline_s:g} s") from None
        if isinstance(answer, Exception):
            raise _NoTokenError(f"{self._name} raised {type(answer).__name__}")
        if problem := _problem_of(answer):
            raise _NoTokenError(f"{self._name} returned {problem}")
        return answer

    def _answer(self, config: str | None, answers: queue.SimpleQueue[Any]) -> None:
        try:
            answers.put(self._ask(config))
        except Exception as error:  # noqa: BLE001 - it is somebody else's function
            answers.put(error)


class _NoTokenError(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.error = KafkaError(KafkaError._AUTHENTICATION, f"{PROPERTY} {why}")


def token_callback(properties: Mapping[str, str]) -> TokenCallback | None:
    """Return the callback that a connection's properties name, None where they name none.

    Raises:
        WrongSettings: it cannot be imported, or does not go with the other properties.
    """
    name = properties.get(PROPERTY, "").strip()
    mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms") or ""
    is_by_token = mechanism.upper() == "OAUTHBEARER"
    is_by_oidc = properties.get("sasl.oauthbearer.method", "").lower() == "oidc"
    if not name:
        if is_by_token and not is_by_oidc and properties.get("enable.sasl.oauthbearer.unsecure.jwt") != "true":
            raise WrongSettings(
                "sasl.mechanism OAUTHBEARER has no source of tokens",
                f"Set sasl.oauthbearer.method to oidc, or {PROPERTY} to module:function or {MSK_IAM}",
            )
        return None
    if not is_by_token or not properties.get("security.protocol", "").upper().startswith("SASL_"):
        raise WrongSettings(
            f"{PROPERTY} goes with sasl.mechanism OAUTHBEARER and security.protocol SASL_SSL or SASL_PLAINTEXT only",
            f"Set both, or leave {PROPERTY} out",
        )
    if is_by_oidc:
        raise WrongSettings(
            f"{PROPERTY} and sasl.oauthbearer.method oidc are two sources of tokens", "Leave one of them out"
        )
    return TokenCallback(name, MskIam() if name == MSK_IAM else _imported(name))


def _imported(name: str) -> Ask:
    module, _, function = name.partition(":")
    if not module or not function:
        raise WrongSettings(f"{PROPERTY}: allowed: module:function, or {MSK_IAM}")
    next_step = "Install its package where the run runs, or name its folder in PYTHONPATH"
    try:
        found = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - it is somebody else's module
        why = type(error).__name__
        raise WrongSettings(f"{PROPERTY}: module {module} cannot be imported: {why}", next_step) from None
    ask: Ask | None = getattr(found, function, None)
    if not callable(ask):
        raise WrongSettings(f"{PROPERTY}: module {module} has no function {function}", "Fix its name")
    return ask


def _problem_of(answer: Any) -> str:
    """Say what is wrong with what a function returned, without any of it; empty where nothing is."""
    match answer:
        case (str(), float() | int() as expiry) | (str(), float() | int() as expiry, str(), dict()):
            if expiry > _MILLISECONDS:
                return "an expiry in milliseconds: it is counted in seconds since the epoch"
            return "" if expiry > time.time() else "a token that has expired"
        case _:
            return "no pair of a token (text) and its expiry (seconds since the epoch)"
