"""The operator page: what runs, seen and steered in a browser. Needs the extra `http`."""
