"""What a comparison found is kept in Postgres, one row a shard; what cannot be kept hides nothing that was found."""

from __future__ import annotations

from flashsale.projections import comparisons
from flashsale.projections.comparisons import Comparison
from flashsale.reconcile import Examination, examine_each
from flashsale.reconcile.keeping import SENTENCE_LENGTH_MAX, TOLD_MAX
from tests.integration.reconcile_kit import Books, servers


def examined(books: Books, by: str = "cli:ada", timeout_s: float = 5) -> Examination:
    return examine_each(servers(books), [books.shard.sale], timeout_s, by=by)


def kept(books: Books) -> Comparison:
    (found,) = comparisons.every(books.side.postgres).values()
    return found


def test_nobody_compared_anything_yet(books: Books) -> None:
    assert comparisons.every(books.side.postgres) == {}


def test_the_newest_comparison_takes_the_place_of_the_one_before(books: Books) -> None:
    assert examined(books).not_kept == ""
    first = kept(books).compared
    assert first is not None
    assert (first.by, first.position, first.differences, first.told) == (
        "cli:ada", books.state.position, 0, [],
    )  # fmt: skip

    books.side.postgres.execute("DELETE FROM orders WHERE order_id = %s", [books.paid])
    examined(books, by="operator:bob")
    second = kept(books).compared
    assert second is not None
    assert (second.by, second.differences) == ("operator:bob", 1)
    assert second.at_ms >= first.at_ms
    assert f"missing-order {books.paid}: the log says confirmed" in second.told[0]


def test_a_miss_stands_beside_what_was_found_until_one_comes_to_its_end(books: Books) -> None:
    examined(books)
    books.side.sell(books.shard, 1)  # and nobody applies it
    found = examined(books, timeout_s=0)
    assert found.reports == []
    missed = kept(books)
    assert missed.missed is not None
    assert found.behind == [missed.missed.why]
    assert missed.compared is not None
    assert missed.compared.position == books.state.position

    books.side.drain(*books.side.projectors)
    examined(books)
    now = kept(books)
    assert now.missed is None
    assert now.compared is not None
    assert now.compared.position > books.state.position


def test_a_log_that_is_halted_is_a_difference_and_a_sale_that_is_over_leaves_what_was_found(
    books: Books,
) -> None:
    books.side.sell(books.shard, 1)
    books.side.postgres.execute("UPDATE checkpoint SET halted = 'FORK: two histories'")
    examined(books)
    halted = kept(books)
    assert halted.compared is not None
    assert (halted.compared.differences, "two histories" in halted.compared.told[0]) == (1, True)

    books.side.postgres.execute("UPDATE sales SET archived_at = now()")
    assert [report.skipped != "" for report in examined(books).reports] == [True]
    assert kept(books) == halted


def test_what_damage_says_is_kept_as_postgres_takes_it_and_no_longer_than_needed(books: Books) -> None:
    for number in range(TOLD_MAX + 5):
        books.side.redis.hset(books.keys.orders, f"0-\0{number:08}{'x' * SENTENCE_LENGTH_MAX}", "nonsense \0")
    found = examined(books)
    (report,) = found.reports
    compared = kept(books).compared
    assert found.not_kept == ""
    assert compared is not None
    assert compared.differences == report.count > TOLD_MAX
    assert len(compared.told) == TOLD_MAX
    assert r"\0" in compared.told[0]


def test_what_cannot_be_kept_is_said_and_what_was_found_is_told(books: Books) -> None:
    books.side.postgres.execute(
        "ALTER TABLE comparison ADD CONSTRAINT no_ada CHECK (compared_by <> 'cli:ada')"
    )
    found = examined(books)
    assert [report.count for report in found.reports] == [0]
    assert "no_ada" in found.not_kept
    assert "roles.sql" in found.not_kept
    assert comparisons.every(books.side.postgres) == {}
