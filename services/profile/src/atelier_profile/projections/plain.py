"""Values of events as the plain JSON data that read models hold."""

from typing import Any

import orjson


def plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))
