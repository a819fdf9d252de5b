"""How Hypothesis runs: without a clock, for a busy machine makes every test slow now and then."""

from hypothesis import settings

settings.register_profile("flashsale", deadline=None)
settings.load_profile("flashsale")
