"""Write space/library/schema.json from the forms of the language, so that it cannot go stale; a test compares them."""

from __future__ import annotations

from space.parse import LIBRARY
from space.schema import schema_text

FILE = LIBRARY / "schema.json"

if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
