# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""The two lines that every Python file begins with, as ament_copyright knows them.

ament_copyright asks for a licence's text in every file: thirteen lines of Apache-2.0. What licences look like in a file
comes to it by the entry points `ament_copyright.license`; setup.py names `apache2_spdx` there, and two lines say the same.
"""

from __future__ import annotations

from typing import NamedTuple

COPYRIGHT = "Copyright 2026 urban_map_loc maintainers"
SPDX = "SPDX-License-Identifier: Apache-2.0"
HEADER = f"# {COPYRIGHT}\n# {SPDX}\n"


class License(NamedTuple):
    """What ament_copyright reads of a licence; `{copyright}` stands for the line with year and holder."""

    name: str
    spdx: str
    file_headers: tuple[str, ...]
    license_files: tuple[str, ...]
    contributing_files: tuple[str, ...]


# LICENSE and CONTRIBUTING.md have the full text, by which ament_copyright knows Apache-2.0 itself.
NO_FILE = ("a text that no file has",)
apache2_spdx = License("Apache License, Version 2.0 (SPDX)", "Apache-2.0", (f"{{copyright}}\n{SPDX}",), NO_FILE, NO_FILE)
