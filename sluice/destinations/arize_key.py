"""Whether Arize knows the key and the space, by the one call that changes nothing: reading the space itself."""

from __future__ import annotations

from urllib.parse import quote

import requests

from sluice.errors import DestinationRefused, DestinationUnavailable
from sluice.settings import ArizeConnection

_TIMEOUT_S = 20.0
_HOST = "api.arize.com"


class NotTold(Exception):
    """What was asked gave no answer to go by; the only argument says so."""


def look_at_space(arize: ArizeConnection) -> str:
    """Return what Arize says, in a sentence.

    Raises:
        DestinationRefused: it does not know the key, or not for this space.
        DestinationUnavailable: it does not answer.
        NotTold: it answers something that says neither; whether rows are taken, a run will tell.
    """
    port = f":{arize.port}" if arize.port else ""
    url = f"{arize.scheme}://{arize.host or _HOST}{port}/v2/spaces/{quote(arize.space_id, safe='')}"
    try:
        answer = requests.get(
            url,
            headers={"authorization": f"Bearer {arize.api_key.get_secret_value()}"},
            auth=lambda request: request,  # else a ~/.netrc would replace the key
            timeout=_TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise DestinationUnavailable(
            f"Arize does not answer at {arize.host or _HOST} ({type(error).__name__})",
            "Look at the host, the port and the way out of this network",
        ) from None
    if answer.status_code == requests.codes.ok:
        return "knows the key, and shows it the space"
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        raise DestinationRefused(f"Arize refuses the key (HTTP {answer.status_code})", "Fix the key, or the host")
    if answer.status_code == requests.codes.not_found:
        raise NotTold("does not show the space to this key (HTTP 404): is the space's id right? A run will tell")
    raise NotTold(f"does not tell (HTTP {answer.status_code}); a run will")
