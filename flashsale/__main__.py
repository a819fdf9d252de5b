"""`python -m flashsale`: the same as the installed command."""

from __future__ import annotations

from flashsale.cli import main

if __name__ == "__main__":
    main()
