# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the pages of docs/ and the reference made from docstrings. `make docs` builds them from the repository's root, without a warning.

The root is the source folder, so that links between pages, README and source files are the same here and in a repository's browser.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
API = "build/docs/api"
sys.path.insert(0, str(ROOT))

from urban_map_loc import __version__  # noqa: E402  after the path to it

project = "urban_map_loc"
author = "urban_map_loc maintainers"
copyright = f"2026 {author}, Apache-2.0"  # noqa: A001  Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = ["*.md", "CHANGELOG.rst", "docs/**", f"{API}/**"]
exclude_patterns = [".venv", "build/docs/packages", "build/docs/html", "build/mutation", "build/demo", "install", "log"]
root_doc = "docs/index"
html_theme = "furo"
html_title = f"{project} {release}"
myst_heading_anchors = 3
default_role = "code"  # single backquotes are code, as in Markdown

apidoc_modules = [
    {
        "path": str(ROOT / project),
        "destination": API,
        "separate_modules": True,
        "module_first": True,
        "max_depth": 1,
        "automodule_options": {"members", "undoc-members", "ignore-module-all"},
    }
]
# What `Attributes:` names is no link: several classes have an attribute of that name.
suppress_warnings = ["ref.python"]
autodoc_member_order = "bysource"
napoleon_custom_sections = [("Buffers", "params_style")]  # what a network keeps besides its weights
autodoc_typehints_format = "short"
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_attr_annotations = False  # types of attributes stand beside them as annotations
napoleon_use_ivar = True  # attributes are described once, in their class's docstring


def _packages(app: Sphinx, docname: str, source: list[str]) -> None:
    """A link to a folder of the package leads to its reference: a page has no folders to show."""
    here = "../" * docname.count("/")
    source[0] = re.sub(rf"\]\({here}(urban_map_loc(?:/\w+)*)/?\)", lambda m: f"]({here}{API}/{m[1].replace('/', '.')}.rst)", source[0])


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _packages)
