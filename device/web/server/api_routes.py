"""The HTTP interface for programs, and for the buttons of the page: the state, its events, and commands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from device.errors import ServiceError
from device.web.server.answers import RefusedError, page, wants_json
from device.web.server.request_content import UnreadableError, is_form, members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.requests import Request

    from device.web.live.moments import Moment
    from device.web.server.service import Service

COMMANDS: Mapping[str, str] = {
    "acknowledge": "acknowledge",
    "pause": "pause",
    "resume": "resume",
    "self-test": "self_test",
}
"""Name in the address -> command of the daemon."""


def api_routes(service: Service) -> list[Route]:
    """The routes of the HTTP interface."""
    interface = Interface(service)
    commands = [Route(f"/api/{name}", interface.command(verb), methods=["POST"]) for name, verb in COMMANDS.items()]
    return [Route("/api/state", interface.state), *commands]


class Interface:
    """Answers programs.

    Args:
        service: what stands behind them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._gate = service.gate

    async def state(self, request: Request) -> Response:
        """What the daemon hears now; 503 with the reason if it does not answer."""
        self._gate.visitor(request)
        moment = self._service.link.newest
        return JSONResponse(state_members(moment), 200 if moment.state is not None else 503)

    def command(self, verb: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route of one command."""

        async def carry_out(request: Request) -> Response:
            return await self._carry_out(request, verb)

        return carry_out

    async def _carry_out(self, request: Request, verb: str) -> Response:
        self._gate.visitor(request)  # before anything of it is read
        try:
            members = await members_of(request)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        csrf = str(members.pop("csrf", ""))
        visitor = self._gate.commander(request, csrf)
        payload = _from_form(members) if is_form(request) else members
        try:
            outcome = await self._service.link.command(verb, payload, person=visitor.name)
        except ServiceError as error:
            raise RefusedError(503, str(error)) from None
        self._service.report(f"{visitor.name} asks for {verb}: {outcome.sentence}")
        if not outcome.done:
            raise RefusedError(409, outcome.sentence)
        if wants_json(request):
            return JSONResponse({"done": True, "sentence": outcome.sentence})
        return page(request, "message.html", visitor, title="Done", sentence=outcome.sentence)


def state_members(moment: Moment) -> dict[str, Any]:
    """A moment as JSON: whether it hears, and the state as `auricle status --json` has it."""
    state = None if moment.state is None else dataclasses.asdict(moment.state)
    return {"hears": moment.hears, "problem": moment.problem, "asked_utc_s": moment.utc_s, "state": state}


def _from_form(members: Mapping[str, Any]) -> dict[str, Any]:
    """A form holds texts alone: a number of seconds is made one, an empty field is left out."""
    payload = {name: value for name, value in members.items() if value != ""}
    if "duration_s" in payload:
        try:
            payload["duration_s"] = float(payload["duration_s"])
        except ValueError:
            raise RefusedError(400, "duration_s must be a number of seconds") from None
    return payload
