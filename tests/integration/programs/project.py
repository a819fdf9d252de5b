"""A projector process as `flashsale projector run` has it: project.py REDIS_URL POSTGRES_URL NAME."""

import sys

from flashsale.daemon import Daemon
from flashsale.projections.projector import Projector

redis_url, postgres_url, name = sys.argv[1:]
daemon = Daemon("projector")
projector = Projector(redis_url, postgres_url, name, wait=daemon.wait)
sys.exit(daemon.run(projector.step, projector.close))
