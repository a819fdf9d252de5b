"""A private Redis and Postgres for development: no TCP port, no system user, no service.

    servers = DevServers(default_data_dir(os.environ))
    redis_url, postgres_url = servers.up()      # starts them; the second time, finds them
    servers.down()                              # the data stays

The programs come from the wheels of the extra `flashsale[dev-servers]`, or from where the caller says.
"""

from flashsale.servers.dev import DevServers, ServerStatus, Urls
from flashsale.servers.location import default_data_dir

__all__ = ["DevServers", "ServerStatus", "Urls", "default_data_dir"]
