"""`flashsale bench`: how fast, measured against what people use instead and against the limit of the servers.

A number of one machine says little. So contenders run in turn on the same servers, at the same durability, round after
round, and what counts is the ratio of two of them within a round. Whoever does not end in the state that was to be
reached has no number at all.
"""
