"""Numbers for Prometheus: what a look at both servers shows, and what a daemon has done. From the extra `metrics`."""
