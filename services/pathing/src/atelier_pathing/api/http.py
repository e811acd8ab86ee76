"""The HTTP doors of pathing, under ``/pathing``."""

from fastapi import APIRouter

from atelier_pathing.api.edits import PathEditors, edit_routes
from atelier_pathing.api.frameworks import FrameworkParts, framework_routes
from atelier_pathing.api.paths import PathReaders, path_routes
from atelier_pathing.case.reading import MAX_PACKAGE_BYTES

LARGER_BODIES = {"/pathing/v1/frameworks": MAX_PACKAGE_BYTES}
"""Paths that take more than the usual megabyte; for the app's door."""


def routes(frameworks: FrameworkParts, readers: PathReaders, editors: PathEditors) -> APIRouter:
    router = APIRouter()
    router.include_router(framework_routes(frameworks))
    router.include_router(path_routes(readers))
    router.include_router(edit_routes(editors))
    return router
