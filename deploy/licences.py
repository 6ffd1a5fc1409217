"""The licence of every installed package as SPDX, and what asks for a look: copyleft and unknown ones. Run from the root: `python -m deploy.licences`.

A package says its licence in its metadata: an expression (PEP 639), a field of free text, or classifiers. They are read in this order by the same rules as
licences of rows (`curate.license`). Where none of them names a licence, `JUDGED` may: with where it was read. Writes licences.tsv; ends with 1 where a
package is unknown.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from curate.license import is_known, leaves, parse, terms_of
from curate.workspace import write_file

__all__ = ["TABLE", "Licence", "installed", "packages", "table"]

TABLE = Path(__file__).parent / "licences.tsv"
JUDGED: Mapping[str, tuple[str, str]] = {
    "mlcroissant": ("Apache-2.0", "what conda-forge records; the wheel says nothing"),
}
"""What a person read where the metadata does not say: licence, and where it stands."""
CLASSES = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "LicenseRef-BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


class Licence(NamedTuple):
    """A package's licence. spdx: "" where it is not known. kind: permissive, copyleft or unknown. said: where it is told."""

    name: str
    version: str
    spdx: str
    kind: str
    said: str


def _read(package: Distribution) -> tuple[str, str]:
    """The SPDX expression of a package and where it is told; ("", "") where nothing names a licence."""
    told = package.metadata
    fields = {name: told[name] for name in ("License", "License-Expression") if name in told}
    line = fields.get("License", "").strip().splitlines()
    for where, text in (("expression", fields.get("License-Expression")), ("field", line[0] if line else "")):
        spdx = parse(text) if text else None
        if spdx and all(is_known(leaf) for leaf in leaves(spdx)):
            return spdx, where
        if text and re.fullmatch(r"(?i)bsd( license)?", text):
            return "LicenseRef-BSD", where
    ends = [said.rpartition(" :: ")[2] for said in told.get_all("Classifier") or [] if said.startswith("License :: OSI")]
    named = [CLASSES[end] for end in ends if end in CLASSES]
    return (" OR ".join(named), "classifier") if named else ("", "")


def _kind(spdx: str) -> str:
    """What it asks of those who pass it on."""
    if not spdx:
        return "unknown"
    commercial, alike = terms_of(re.sub(r"LicenseRef-BSD", "BSD-3-Clause", spdx))
    return "copyleft" if alike else "permissive" if commercial and alike is False else "unknown"


def packages() -> Iterable[Distribution]:
    """What is installed in this environment: not what a library brings inside itself and puts on the path, as Ray does once it is imported."""
    return distributions(path=[*{sysconfig.get_path(kind) for kind in ("purelib", "platlib")}])


def installed(found: Iterable[Distribution] | None = None) -> list[Licence]:
    """The licence of each installed package but Curate itself, by name."""
    rows: dict[str, Licence] = {}
    for package in packages() if found is None else found:
        name = canonicalize_name(package.metadata["Name"])
        spdx, said = _read(package)
        if not spdx and name in JUDGED:
            spdx, said = JUDGED[name]
        if name != "curate":
            rows[name] = Licence(name, package.version, spdx, _kind(spdx), said)
    return [rows[name] for name in sorted(rows)]


def table(rows: Iterable[Licence]) -> str:
    """The table as tab-separated text."""
    return "\n".join("\t".join(row) for row in [Licence._fields, *rows]) + "\n"


def main() -> int:
    """Write the table and tell what asks for a look."""
    rows = installed()
    write_file(TABLE, lambda path: path.write_text(table(rows), encoding="utf-8"))
    for kind in ("copyleft", "unknown"):
        print(f"{kind}: {', '.join(f'{row.name} {row.spdx}'.strip() for row in rows if row.kind == kind) or 'none'}")
    return int(any(row.kind == "unknown" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
