# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""`python -m urban_map_loc`: the same as the console script."""

from urban_map_loc.cli.main import main

if __name__ == "__main__":
    main()
