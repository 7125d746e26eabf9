"""The page of one instance: its routes behind the gate, and what follows the daemon meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from device.web.requests.account_routes import account_routes
from device.web.requests.site_application import Site, site_application
from device.web.server.api_routes import api_routes
from device.web.server.page_routes import page_routes
from device.web.server.room_routes import room_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from starlette.applications import Starlette
    from starlette.types import ASGIApp

    from device.config.web_settings import WebSettings
    from device.web.live.moments import Moment
    from device.web.server.service import Service


def application(
    service: Service,
    settings: WebSettings,
    *,
    on_moment: Callable[[Moment], object] = lambda _moment: None,
    others: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> ASGIApp:
    """The application of one instance; it follows the daemon while it is served.

    Args:
        service: what stands behind its routes.
        settings: of the page.
        on_moment: is called twice a second, with what the daemon answered.
        others: run beside it, for ever.
    """

    @contextlib.asynccontextmanager
    async def following(_app: Starlette) -> AsyncIterator[None]:
        def record(moment: Moment) -> None:
            service.hearing.add(moment.utc_s, hears=moment.hears)
            on_moment(moment)

        tasks = [asyncio.create_task(service.link.follow(record)), *(asyncio.create_task(run()) for run in others)]
        if service.happenings.journal is not None:
            tasks.append(asyncio.create_task(service.tail.follow()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            service.hearing.flush()
            if service.classifying is not None:
                await service.classifying.emptied()

    site = Site(
        service.facts.instance,
        places=(("", "now", "Now"), ("night", "night", "Night"), ("account", "account", "Account")),
        is_open=lambda: service.gate.visitors.book.is_open,
    )
    routes = [*page_routes(service), *room_routes(service), *api_routes(service)]
    routes += account_routes(service.gate, service.facts.zone)
    return site_application(site, routes, settings, lifespan=following)
