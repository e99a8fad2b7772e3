"""`python -m tests.scenarios` writes docs/conformance.md anew."""

from tests.kafka import ROOT
from tests.scenarios import book


(ROOT / "docs" / "conformance.md").write_text(book.page())
