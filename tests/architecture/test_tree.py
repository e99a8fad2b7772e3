"""The tree holds text that any machine can read and that names no machine."""

import re
import subprocess
import unicodedata

from pathlib import Path

from tests.kafka import ROOT


BINARY = {".png", ".woff2", ".ico", ".npz", ".mp3", ".wav", ".gif", ".jpg"}
# Somebody's own directories, in a pattern that does not match itself.
MACHINE = re.compile(r"(?<![\w.~-])/(?:[w]ork|[r]oot|[h]ome|[U]sers)/\w")


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [p for p in paths if p.is_file() and p.suffix not in BINARY]


def is_rubbish(character: str) -> bool:
    """Control and format characters: invisible, or turning the text around."""
    return character != "\n" and (
        unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}
    )


def test_text_files_hold_no_invisible_characters():
    found = {}
    for path in files():
        text = path.read_bytes().decode()
        # A tab is a Makefile's own.
        bad = {c for c in text if is_rubbish(c)} - (
            {"\t"} if path.name == "Makefile" else set()
        )
        if bad:
            found[str(path.relative_to(ROOT))] = [f"U+{ord(c):04X}" for c in bad]

    assert found == {}


def test_no_file_names_a_directory_of_one_machine():
    found = {}
    for path in files():
        if hits := MACHINE.findall(path.read_text()):
            found[str(path.relative_to(ROOT))] = hits

    assert found == {}
