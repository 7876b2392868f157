"""How a local broker is told whom to let in, and by which listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no __all__
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from deployments.local.certificates import Authority
from deployments.local.oidc import Issuer
from deployments.local.processes import wait_until

_MODULES = "org.apache.kafka.common.security"
_VALIDATOR = f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
_ITERATIONS = 4096
_ASK_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Whom a broker lets in beside those who come by its plain listener.

    users: name to password. They log in at SASL (SASL_PLAINTEXT, PLAIN).
    authority: signs the broker's certificate. It adds TLS (nobody logs in), MTLS (a client is who its certificate's
        common name says) and SASL_TLS (SASL_SSL, where users log in by PLAIN or SCRAM-SHA-512).
    issuer: whose tokens are taken at SASL_TLS (OAUTHBEARER); a client is its token's subject. Of that authority, too.
    authorize: check rights. Whoever has not said who it is may do all; everybody else only what an ACL allows.
    """

    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    authority: Authority | None = None
    issuer: Issuer | None = None
    authorize: bool = False

    @property
    def protocols(self) -> dict[str, str]:
        """The security protocol of each listener that this adds."""
        plain = {"SASL": "SASL_PLAINTEXT"} if self.users else {}
        return plain | ({"TLS": "SSL", "MTLS": "SSL", "SASL_TLS": "SASL_SSL"} if self.authority else {})

    def settings(self) -> dict[str, str]:
        """The broker's."""
        rights = {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        found = rights if self.authorize else {}
        if self.users:
            found |= _of("sasl", {"sasl.enabled.mechanisms": "PLAIN", **self._plain()})
        if self.authority:
            found |= self._of_tls(self.authority)
        return found

    def java_options(self) -> tuple[str, ...]:
        """Kafka asks no address for keys that is not allowed on its command line."""
        if self.issuer is None:
            return ()
        return (f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.issuer.keys_url}",)

    def _of_tls(self, authority: Authority) -> dict[str, str]:
        stores = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(authority.server("broker").both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.location),
        }
        return {
            **stores,
            **_of("mtls", {"ssl.client.auth": "required", "ssl.principal.mapping.rules": r"RULE:^CN=([^,]+).*$/$1/"}),
            **_of("sasl_tls", {**self._plain(), **self._scram(), **self._oauthbearer(authority)}),
            "listener.name.sasl_tls.sasl.enabled.mechanisms": ",".join(self._mechanisms()),
        }

    def _mechanisms(self) -> list[str]:
        return [*(["PLAIN", "SCRAM-SHA-512"] if self.users else []), *(["OAUTHBEARER"] if self.issuer else [])]

    def _plain(self) -> dict[str, str]:
        logins = " ".join(f'user_{name}="{_escaped(password)}"' for name, password in self.users.items())
        return {"plain.sasl.jaas.config": f"{_MODULES}.plain.PlainLoginModule required {logins};"}

    def _scram(self) -> dict[str, str]:
        return {"scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;"}

    def _oauthbearer(self, authority: Authority) -> dict[str, str]:
        if self.issuer is None:
            return {}
        # A module with options must say as whom the broker itself logs in, though it never does.
        trust = f'ssl.truststore.type="PEM" ssl.truststore.location="{authority.location}"'
        options = f'{trust} unsecuredLoginStringClaim_sub="nobody"'
        return {
            "oauthbearer.sasl.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required {options};",
            "oauthbearer.sasl.server.callback.handler.class": _VALIDATOR,
            # Kafka 4.1.1's default looks at a token's form and dates only, and takes anybody's. It hears of another one
            # by this name alone, not behind "oauthbearer.".
            "sasl.oauthbearer.jwt.validator.class": f"{_MODULES}.oauthbearer.BrokerJwtValidator",
            "oauthbearer.sasl.oauthbearer.jwks.endpoint.url": self.issuer.keys_url,
            "oauthbearer.sasl.oauthbearer.expected.issuer": self.issuer.url,
        }

    def keep_scram(self, bootstrap_servers: str) -> None:
        """Give a running broker what it needs to know of its users' passwords for SCRAM, and wait until it does."""
        if not (self.authority and self.users):
            return
        admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        wanted: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(user, how, password=password.encode()) for user, password in self.users.items()
        ]
        for given in admin.alter_user_scram_credentials(wanted).values():
            given.result(_ASK_S)
        wait_until(lambda: _knows(admin, self.users), _ASK_S, "the broker to know its users")


def _knows(admin: AdminClient, users: Mapping[str, str]) -> bool:
    known = admin.describe_user_scram_credentials(list(users))
    return isinstance(known, dict) and all(found.exception(_ASK_S) is None for found in known.values())


def _of(listener: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {f"listener.name.{listener}.{name}": value for name, value in settings.items()}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
