"""What a person is told when Postgres goes away while it commits: nobody knows yet, so neither done nor not done."""

import pytest

from flashsale.errors import UnknownOutcome, Unreachable
from flashsale.projections import catalog
from flashsale.projections.database import connect, errors_told, written
from tests.fixtures.proxy import Mode, Proxy
from tests.fixtures.read_side import ReadSide
from tests.helpers import wait_until

WRITE = "UPDATE sales SET title = 'Another'"


def title(side: ReadSide) -> str:
    return catalog.get(side.postgres, "sale-1").title


def write(proxy: Proxy) -> None:
    with connect(proxy.url) as connection, errors_told(), written(connection):
        connection.execute(WRITE.encode())


def test_a_commit_whose_reply_is_lost_is_unknown_and_may_be_done(
    read_side: ReadSide, postgres_proxy: Proxy
) -> None:
    read_side.define()
    postgres_proxy.behave(Mode.CUT_REPLY, when=b"COMMIT")

    with pytest.raises(UnknownOutcome, match="may or may not have been done"):
        write(postgres_proxy)
    wait_until(lambda: title(read_side) == "Another")


def test_a_commit_that_does_not_arrive_is_just_as_unknown(read_side: ReadSide, postgres_proxy: Proxy) -> None:
    read_side.define()
    postgres_proxy.behave(Mode.RESET, when=b"COMMIT")

    with pytest.raises(UnknownOutcome):
        write(postgres_proxy)
    assert title(read_side) == "A sale"


def test_what_is_lost_before_the_commit_is_not_done(read_side: ReadSide, postgres_proxy: Proxy) -> None:
    read_side.define()
    postgres_proxy.behave(Mode.CUT_REPLY, when=b"UPDATE sales")

    with pytest.raises(Unreachable) as caught:
        write(postgres_proxy)
    assert not isinstance(caught.value, UnknownOutcome)
    assert title(read_side) == "A sale"
