"""What the suites over documents stand on."""

from pathlib import Path
from typing import Any

import pytest

from atelier_common.documents.port import Documents


class OnDocuments:
    """Gives each test ``documents``; :meth:`make_documents` is the adapter's."""

    async def make_documents(self) -> Documents:
        """A new, empty database, ready for use."""
        raise NotImplementedError

    async def dispose(self) -> None:
        """Let go of what :meth:`make_documents` opened."""

    documents: Documents
    folder: Path
    """Empty at the start of each test, for adapters that need one."""

    @pytest.fixture(autouse=True)
    async def _documents(self, tmp_path: Path) -> Any:
        self.folder = tmp_path
        self.documents = await self.make_documents()
        yield
        await self.dispose()
