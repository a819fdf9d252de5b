"""However a projector is interrupted and its group is meddled with, the tables end as the fold of the log."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings

from tests.fixtures.read_side import ReadSide
from tests.property.course import Course, batch_sizes, courses

EVENTS = [
    *(Course.sell, Course.sell, Course.confirm, Course.cancel, Course.refund, Course.refund_and_keep),
    *(Course.expire, Course.restock),
    *(Course.step, Course.step, Course.step, Course.close, Course.successor, Course.session_ends),
    *(
        Course.destroy,
        Course.set_back,
        Course.set_forward,
        Course.steal,
        Course.claim,
        Course.delete_consumer,
    ),
]


@settings(
    max_examples=40,
    deadline=None,
    # Every example has a sale of its own in the same two servers.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(happenings=courses(EVENTS), batch_max=batch_sizes)
def test_any_course_of_events_ends_in_the_fold(
    read_side: ReadSide, happenings: list[tuple[Callable[[Course, int], None], int]], batch_max: int
) -> None:
    course = Course.begin(read_side, batch_max)

    for happen, number in happenings:
        happen(course, number)
    course.projector.close()  # its next step looks at everything anew, and need not wait for the next look
    read_side.drain(course.projector, patient=True)

    read_side.assert_projected(course.shard)
    course.projector.close()
