"""Values counted by their size, as Prometheus wants them."""

from flashsale.metrics.histogram import Histogram


def test_each_bound_counts_what_is_at_most_so_large() -> None:
    counted = Histogram((0.5, 1, 10))
    assert counted.read().buckets == (("0.5", 0), ("1.0", 0), ("10.0", 0), ("+Inf", 0))

    for value in (0.0, 0.5, 0.500001, 1, 10, 10.5, 1e9):
        counted.add(value)

    told = counted.read()
    assert told.buckets == (("0.5", 2), ("1.0", 4), ("10.0", 5), ("+Inf", 7))
    assert told.total == 0.0 + 0.5 + 0.500001 + 1 + 10 + 10.5 + 1e9
