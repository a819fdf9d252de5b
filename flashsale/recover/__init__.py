"""Found a shard's log anew after a loss: what Postgres has is kept, what only Redis has is carried over."""

from flashsale.recover.carry_out import Outcome, recover
from flashsale.recover.survey import Survey
from flashsale.recover.surveying import survey
from flashsale.recover.union import LeftOut, Union, carry_over

__all__ = ["LeftOut", "Outcome", "Survey", "Union", "carry_over", "recover", "survey"]
