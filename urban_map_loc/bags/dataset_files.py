# Copyright 2026 urban_map_loc maintainers
# SPDX-License-Identifier: Apache-2.0
"""DatasetFiles: a dataset as it was downloaded, folders and archives side by side, read in place.

Of an archive the list of contents is read once; a file's bytes are then read from where they lie. Nothing is unpacked.
"""

from __future__ import annotations

import logging
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from urban_map_loc.errors import BagError
from urban_map_loc.reading import require_bytes

log = logging.getLogger(__name__)

PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")


class _Place(NamedTuple):
    """Where a file's bytes lie: in a file of its own, in a tar (by offset) or in a zip (by name)."""

    container: Path
    offset: int = 0
    size: int = -1
    member: str = ""


class DatasetFiles:
    """The files below a folder, or of one archive, by their path inside; contents of archives as if unpacked beside the archive.

    Raises:
        BagError: `source` does not exist, or is neither a folder nor a tar or zip file.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self._places: dict[str, _Place] = {}
        self._zips: dict[Path, zipfile.ZipFile] = {}
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                inside = path.relative_to(source)
                if path.is_file() and not self._add_archive(path, inside.parent.as_posix()):
                    self._places[inside.as_posix()] = _Place(path)
        elif not source.exists():
            raise BagError(f"{source} does not exist; give the dataset's folder or one of its tar files")
        elif not self._add_archive(source, "."):
            raise BagError(f"{source} is no folder, tar or zip file; give what was downloaded")
        if not self._places:
            raise BagError(f"{source} holds no file; give the dataset's folder or one of its tar files")

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def where(self, name: str) -> str:
        """For messages: where a file is."""
        place = self._places[name]
        return str(place.container) if place.size < 0 and not place.member else f"{name} in {place.container}"

    def read(self, name: str, bound: str = "largest_cloud_mb") -> bytes:
        """The bytes of a file; `bound` says how many they may be (`ReadingConfig`).

        Raises:
            BagError: it is missing, too large, cut short or cannot be read.
        """
        if name not in self._places:
            raise BagError(f"{self.source} has no {name}; download it too")
        place = self._places[name]
        try:
            if place.member:
                archive = self._zips[place.container]
                require_bytes(archive.getinfo(place.member).file_size, self.where(name), bound, BagError)
                return archive.read(place.member)
            there = place.container.stat().st_size - place.offset
            require_bytes(there if place.size < 0 else min(place.size, there), self.where(name), bound, BagError)
            with place.container.open("rb") as file:
                file.seek(place.offset)
                # An archive may claim any size, for which memory would be set aside.
                content = file.read(max(0, there if place.size < 0 else min(place.size, there)))
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
            raise BagError(f"{self.where(name)} cannot be read ({error}); download it again") from error
        if 0 <= place.size != len(content):
            raise BagError(f"{self.where(name)} is cut short; download it again")
        return content

    def _add_archive(self, path: Path, folder: str) -> bool:
        """List a tar's or zip's contents below `folder`; False where the file is neither."""
        name = path.name.lower()
        if name.endswith(PACKED):
            log.warning("%s is compressed as a whole, which cannot be read in place: unpack it; it is left out", path)
            return True
        if name.endswith(".tar"):
            self._add_tar(path, folder)
        elif name.endswith(".zip"):
            self._add_zip(path, folder)
        else:
            return False
        return True

    def _add_tar(self, path: Path, folder: str) -> None:
        count = 0
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isreg():
                        self._places[_inside(folder, member.name)] = _Place(path, member.offset_data, member.size)
                    archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every header it has read
                    count += 1
        except (tarfile.TarError, OSError, EOFError) as error:
            log.warning("%s is damaged or cut short after %d files (%s); what comes before is used", path, count, error)

    def _add_zip(self, path: Path, folder: str) -> None:
        try:
            archive = self._zips[path] = zipfile.ZipFile(path)
            for entry in archive.infolist():
                if entry.filename and not entry.is_dir():
                    self._places[_inside(folder, entry.filename)] = _Place(path, member=entry.filename)
        except (zipfile.BadZipFile, OSError) as error:
            log.warning("%s is damaged or cut short (%s), and a zip's list of contents is at its end; it is left out", path, error)


def _inside(folder: str, name: str) -> str:
    """Path of an archive's member, without what leads nowhere (`./`) or out (`../`)."""
    parts = [p for p in PurePosixPath(folder, name).parts if p not in (".", "..", "/")]
    return "/".join(parts)
