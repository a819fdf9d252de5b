"""What a person is told when Postgres goes away while it commits: nobody knows yet, so neither done nor not done."""

from collections.abc import Callable

import pytest

from flashsale.errors import UnknownOutcome, Unreachable
from flashsale.projections import catalog
from flashsale.projections.database import Connection, connect, errors_told, written
from flashsale.stream import ShardId
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


CHANGES: dict[str, Callable[[Connection], object]] = {
    "found": lambda connection: catalog.found(connection, ShardId("sale-1", 0), 1, before=0),
    "adopt": lambda connection: catalog.adopt(connection, "sale-1", "2026-01-02T03:04:05.678901Z"),
    "mark_archived": lambda connection: catalog.mark_archived(connection, "sale-1", archived=True),
}


@pytest.mark.parametrize("mode", [Mode.CUT_REPLY, Mode.RESET])
@pytest.mark.parametrize("change", CHANGES)
def test_a_lost_reply_to_what_is_written_in_the_books_of_a_sale_is_unknown(
    read_side: ReadSide, postgres_proxy: Proxy, change: str, mode: Mode
) -> None:
    def books() -> list[tuple[str, ...]]:
        return read_side.rows("SELECT s::text, c::text FROM sales s JOIN checkpoint c USING (sale_id)")

    read_side.define()
    before = books()
    postgres_proxy.behave(mode, when=b"UPDATE ")
    with connect(postgres_proxy.url) as connection, pytest.raises(UnknownOutcome, match="look first"):
        CHANGES[change](connection)
    if mode is Mode.CUT_REPLY:
        wait_until(lambda: books() != before, description="it was done all the same")
    else:
        assert books() == before
