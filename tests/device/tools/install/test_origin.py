"""Reading what is installed: wheels and checkouts, and what is neither."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from device.errors import ServiceError
from device.tools.install.layout import SYSTEMD_PATHS
from device.tools.install.origin import WHEEL_LOCK, default_origin, read_origin

CHECKOUT = Path(__file__).resolve().parents[4]
METADATA = "Metadata-Version: 2.4\nName: auricle\nVersion: 0.2.0\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "device").mkdir(parents=True)
    (folder / "device" / "__main__.py").write_text("one\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "auricle"\nversion = "0.2.0"\n')
    (folder / "requirements.txt").write_text("numpy==2 --hash=sha256:0\n")
    shutil.copytree(CHECKOUT / "systemd", folder / "systemd")
    return folder


def wheel(path: Path, **changed: str) -> Path:
    files = {
        "auricle-0.2.0.dist-info/METADATA": METADATA,
        WHEEL_LOCK: "numpy==2\n",
        **dict.fromkeys(SYSTEMD_PATHS, "unit\n"),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, **changed}.items():
            if text:
                archive.writestr(name, text)
    return path


def test_a_checkout_gives_its_version_lock_and_units(checkout: Path) -> None:
    origin = read_origin(checkout)
    assert origin.name.startswith("0.2.0-")
    assert origin.lock == "numpy==2 --hash=sha256:0\n"
    assert origin.systemd_files["systemd/auricle@.service"] == (CHECKOUT / "systemd" / "auricle@.service").read_bytes()


def test_this_very_checkout_can_be_installed() -> None:
    assert set(read_origin(CHECKOUT).systemd_files) == set(SYSTEMD_PATHS)


def test_a_wheel_gives_its_version_lock_and_units(tmp_path: Path) -> None:
    origin = read_origin(wheel(tmp_path / "auricle.whl"))
    assert origin.name.startswith("0.2.0-")
    assert origin.lock == "numpy==2\n"
    assert origin.systemd_files["systemd/auricle@.service"] == b"unit\n"


def test_the_same_content_has_the_same_name_wherever_it_lies(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(checkout, tmp_path / "copy")
    assert read_origin(checkout).name == read_origin(tmp_path / "copy").name


@pytest.mark.parametrize(
    "changed", ["device/__main__.py", "requirements.txt", "systemd/auricle@.service", "device/new.py"]
)
def test_any_change_is_another_version(checkout: Path, changed: str) -> None:
    before = read_origin(checkout).name
    with (checkout / changed).open("a") as file:
        file.write("# another\n")
    assert read_origin(checkout).name != before


def test_what_the_compiler_leaves_is_no_change(checkout: Path) -> None:
    before = read_origin(checkout).name
    (checkout / "device" / "__pycache__").mkdir()
    (checkout / "device" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert read_origin(checkout).name == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"auricle-0.2.0.dist-info/METADATA": "Name: other\nVersion: 1\n"}, "version"),
        ({"auricle-0.2.0.dist-info/METADATA": "Name: auricle\nVersion: ../../etc\n"}, "version"),
        ({WHEEL_LOCK: ""}, "locked dependencies"),
        ({"systemd/auricle@.service": ""}, "systemd/auricle@.service"),
    ],
)
def test_a_wheel_that_cannot_be_installed_is_refused(tmp_path: Path, changed: dict[str, str], named: str) -> None:
    with pytest.raises(ServiceError, match=rf"must hold .*{named}"):
        read_origin(wheel(tmp_path / "x.whl", **changed))


def test_what_is_no_wheel_and_no_checkout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"no zip")
    for path in (tmp_path / "x.whl", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ServiceError, match="no wheel or checkout"):
            read_origin(path)


@pytest.mark.parametrize("noted", [None, '{"url": "https://example.org/auricle", "vcs_info": {}}'])
def test_an_installation_from_elsewhere_asks_for_a_path(noted: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    _note(noted, monkeypatch)
    with pytest.raises(ServiceError, match=r"no file or folder.*--from"):
        default_origin()


def test_the_origin_is_what_the_installer_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    _note(f'{{"url": "{folder.as_uri()}", "dir_info": {{"editable": true}}}}', monkeypatch)
    assert default_origin() == folder
    folder.rmdir()
    with pytest.raises(ServiceError, match="which is gone"):
        default_origin()


def _note(noted: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return noted

    monkeypatch.setattr("device.tools.install.origin.metadata.distribution", lambda _: Distribution())
