"""`python -m l2audit`: see `l2audit.cli`."""

from l2audit.cli import main

raise SystemExit(main())
