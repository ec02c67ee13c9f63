# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""Package of the ament_python build type: colcon and pip both read this file."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "urban_map_loc"

setup(
    name=PACKAGE,
    version="0.1.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["*/*.safetensors", "evaluation/report_page/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", sorted(map(str, Path("launch").glob("*.launch.py")))),
        (f"share/{PACKAGE}/config", sorted(str(p) for p in Path("config").iterdir() if p.is_file())),
        (f"share/{PACKAGE}/config/security", sorted(map(str, Path("config/security").iterdir()))),
    ],
    python_requires=">=3.11",
    # By this colcon knows that `colcon test` is pytest's; without, it runs no test and calls that a success.
    # Not in requirements.txt: rerun-sdk is 690 MB, with pyarrow, and only `evaluate --rerun` needs it.
    extras_require={"test": ["pytest"], "rerun": ["rerun-sdk==0.41.0"]},
    zip_safe=False,
    author="urban_map_loc maintainers",
    maintainer="urban_map_loc maintainers",
    maintainer_email="maintainers@urban-map-loc.invalid",
    description="Localizes a car in a city from OpenStreetMap alone: point clouds in, NavSatFix and pose out.",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            f"{PACKAGE} = {PACKAGE}.cli.main:main",
            f"localizer_node = {PACKAGE}.ros.main:main",
            f"fix_with_altitude = {PACKAGE}.ros.fix_with_altitude:main",
        ],
        "ament_copyright.license": [f"apache2_spdx = {PACKAGE}.copyright_header:apache2_spdx"],
    },
)
