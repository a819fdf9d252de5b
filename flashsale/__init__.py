"""flashsale: an event-sourced flash-sale engine on Redis Streams and Postgres."""

__version__ = "0.1.0"
