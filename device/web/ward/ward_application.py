"""The application of a ward's page; it follows the broker while it is served."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from device.web.requests.account_routes import account_routes
from device.web.requests.site_application import Site, site_application
from device.web.ward.ward_routes import ward_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import tzinfo

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from device.config.web_settings import WebSettings
    from device.web.ward.ward_link import WardMoment
    from device.web.ward.ward_routes import WardService

PLACES = (("", "ward", "Ward"), ("account", "account", "Account"))


def ward_application(
    service: WardService,
    settings: WebSettings,
    *,
    name: str,
    zone: tzinfo | None = None,
    options: str = "",
    on_moment: Callable[[WardMoment], object] = lambda _moment: None,
    on_failure: Callable[[], object] = lambda: None,
) -> ASGIApp:
    """The application.

    Args:
        service: what stands behind its routes.
        settings: of the page.
        name: of the ward, as it is shown.
        zone: of the times that are shown; None for the machine's own.
        options: of the command line that chooses its configuration.
        on_moment: is called twice a second.
        on_failure: is called if the broker is not followed any more, which nobody asked for.
    """

    def take(moment: WardMoment) -> None:
        service.board.take(moment)
        on_moment(moment)

    @contextlib.asynccontextmanager
    async def following(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(service.link.follow(take))
        task.add_done_callback(lambda ended: None if ended.cancelled() else on_failure())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    book = service.gate.visitors.book
    site = Site(name, PLACES, is_open=lambda: book.is_open, options=options, has_room=False)
    routes = [*ward_routes(service), *account_routes(service.gate, zone)]
    return site_application(site, routes, settings, lifespan=following)
