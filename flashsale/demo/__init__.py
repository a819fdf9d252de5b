"""The demo: a crowd, a shop, a killed projector, and every promise checked."""
