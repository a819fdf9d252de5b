"""Which tables are projections, and the version of the code that fills each.

A change of what apply.sql and rebuild.sql write into a table is a new version of that table: raise its number. Tables
of an older version are read and applied to as before, sale by sale, until `flashsale replay` has built the sale's
tables anew and swapped them.
"""

from __future__ import annotations

#: In the order in which locks on them are taken: that of apply.sql.
PROJECTION_VERSIONS = {"stock": 1, "orders": 1}
