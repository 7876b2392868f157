"""The real parts that many tests share. Each starts when a test first asks for it and lives for the session."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # imported where they start, so that a unit test needs neither their packages nor the time
    from deployments.local.kafka import Kafka
    from deployments.local.seaweedfs import SeaweedFS

settings.register_profile("untimed", deadline=None)  # a busy machine proves nothing
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Kafka"]:
    """One broker. The plain listener may do all; of the users, `reader` and `stranger`, each needs its ACLs first.

    They log in by PLAIN, without TLS and with it, by SCRAM, by a client certificate or by a token; see its `security`.

    Shared: make topics and groups with names of your own, and leave it running.
    """
    from deployments.local.certificates import new_authority
    from deployments.local.kafka import running_kafka
    from deployments.local.kafka_security import Security
    from deployments.local.oidc import running_issuer

    users = {"reader": "reader's password", "stranger": 'a "quoted" \\ password'}
    authority = new_authority(tmp_path_factory.mktemp("certificates"))
    clients = {"reader": "reader's client secret"}
    with running_issuer(clients, authority.server("issuer")) as issuer:
        security = Security(users=users, authority=authority, issuer=issuer, authorize=True)
        with running_kafka(tmp_path_factory.mktemp("kafka"), security=security) as broker:
            yield broker


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SeaweedFS"]:
    """One store with one bucket. Shared: write under a prefix of your own, and leave it running."""
    from deployments.local.seaweedfs import running_seaweedfs

    with running_seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as store:
        yield store
