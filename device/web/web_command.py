"""`auricle web`: serves the page of one daemon, or of a ward, and manages who may open it.

It is a process of its own: whatever becomes of it, the daemon hears and delivers on.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.runtime.command_line import add_settings_options, chosen_settings
from device.ward.ward_state import SILENT_AFTER_S, checked_silence
from device.web.access.accounts import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import Settings
    from device.web.account_actions import Page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle web` and of its actions."""
    _add_instance_options(parser)
    parser.add_argument(
        "--ward", metavar="FILE", help="the page of a ward, or its accounts: a TOML file whose [mqtt] names the broker"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="BED", help="with --ward: follow this bed; repeat it"
    )
    seconds = f"with --ward: a bed without a message for so long is silent (default: {SILENT_AFTER_S:g} s)"
    parser.add_argument("--silent-after", type=float, default=None, metavar="SECONDS", help=seconds)
    parser.add_argument("--listen", metavar="ADDRESS", help="as 127.0.0.1:8127 (default: [web] listen)")
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION")
    password = actions.add_parser("password", help="make an account for a person, or give it another password")
    password.add_argument("account", metavar="NAME", help="of the account, as anna")
    password.add_argument("--role", choices=ROLES, help="may look, or also command (default: operator)")
    password.add_argument("--ask", action="store_true", help="ask for the password instead of making one")
    token = actions.add_parser("token", help="make a token for a program, or give it another")
    token.add_argument("account", metavar="NAME", help="of the program, as home-assistant")
    token.add_argument("--role", choices=ROLES, help="may look, or also command (default: viewer)")
    allow = actions.add_parser("allow", help="change what an account may do, and keep its password or token")
    allow.add_argument("account", metavar="NAME", help="of the account")
    allow.add_argument("--role", choices=ROLES, help="may look, or also command")
    for action in (password, token, allow):
        action.add_argument(
            "--listen-in",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="may also listen to the room, where [web] listen_in is on",
        )
    actions.add_parser("accounts", help="list all accounts")
    remove = actions.add_parser("remove", help="remove an account; who is logged in by it is logged out")
    remove.add_argument("account", metavar="NAME", help="of the account")
    certificate = actions.add_parser("certificate", help="make a certificate for TLS, which this machine signs itself")
    certificate.add_argument("--name", action="append", default=[], help="a name or address of this machine; repeat it")
    certificate.add_argument("--replace", action="store_true", help="also if there is one")
    for action in set(actions.choices.values()):
        _add_instance_options(action)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page, or carry out an action; returns exit code 0.

    Raises:
        ConfigError: the configuration, the accounts or the certificate are not valid.
        ServiceError: the page cannot be served at its address.
        MissingExtraError: the extra `web` is not installed.
    """
    from device.config.loading import locating
    from device.runtime.paths import instance_name, web_folder

    if arguments.ward is not None:
        return _serve_ward(arguments)
    if arguments.only or arguments.silent_after is not None:
        raise ConfigError("--only and --silent-after belong to the page of a ward: give --ward FILE")
    settings = chosen_settings(arguments)
    instance = instance_name(arguments.instance, config=arguments.config, profile=settings.profile)
    if arguments.action is None:
        from device.web.page_process import serve_page

        listen = _listen(arguments, settings)
        with locating(arguments.config):
            return serve_page(settings, instance, listen=listen, config=arguments.config, environment=os.environ)
    from device.web.account_actions import Page

    return _act(arguments, settings, Page(instance, web_folder(instance), f"the page of {instance}"))


def _act(arguments: argparse.Namespace, settings: Settings, page: Page) -> int:
    """Carry out an action on the accounts of a page."""
    from device.web import account_actions, self_signed

    actions: dict[str, Callable[..., int]] = {
        "password": account_actions.set_password,
        "token": account_actions.set_token,
        "allow": account_actions.allow,
        "accounts": account_actions.list_accounts,
        "remove": account_actions.remove,
        "certificate": self_signed.make_certificate,
    }
    return actions[arguments.action](settings.web, page, arguments)


def _serve_ward(arguments: argparse.Namespace) -> int:
    from device.config.loading import load_config, locating
    from device.runtime.paths import checked_instance, instance_name, ward_folder
    from device.web.account_actions import Page
    from device.web.ward.ward_page_process import serve_ward

    if arguments.config or arguments.profile:
        raise ConfigError("--ward names the file of a ward: leave --config and --profile out")
    silent_after_s = checked_silence(SILENT_AFTER_S if arguments.silent_after is None else arguments.silent_after)
    only = [checked_instance(bed) for bed in arguments.only]
    settings = load_config(arguments.ward)
    name = instance_name(arguments.instance, config=arguments.ward, profile=settings.profile)
    if arguments.action is not None:
        return _act(arguments, settings, Page(name, ward_folder(name), f"the page of the ward {name}"))
    with locating(arguments.ward):
        return serve_ward(
            settings,
            name,
            listen=_listen(arguments, settings),
            config=arguments.ward,
            only=only,
            silent_after_s=silent_after_s,
            environment=os.environ,
        )


def _listen(arguments: argparse.Namespace, settings: Settings) -> str:
    """The address of the command line, or that of the file."""
    listen: str | None = arguments.listen or settings.web.listen
    if listen is None:
        raise ConfigError('the page is off: set listen = "127.0.0.1:8127" in [web], or give --listen')
    return listen


def _add_instance_options(parser: argparse.ArgumentParser) -> None:
    add_settings_options(parser)
    parser.add_argument("--instance", metavar="NAME", help="which daemon (default: that of the file)")
