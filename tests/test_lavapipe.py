"""`keraslayers setup gpu`: what it fetches, where that lies, and what it says where it cannot."""

import hashlib
import json
import platform

import pytest

from keraslayers.export.runtimes import SETUPS, debian, gpu, lavapipe

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm", "PRETTY_NAME": "Debian"}


@pytest.fixture
def source(monkeypatch, tmp_path):
    """A Debian whose packages are made up; yields what was asked of it."""
    asked = []

    def fetch(names, suites, folder, *, needs):
        asked.append((names, suites, needs))
        folder.mkdir()
        paths = [folder / "mesa.deb", folder / "loader.deb"]
        for path in paths:
            path.write_bytes(path.name.encode())
        return paths

    def unpack(package, folder):
        library = folder / "usr" / "lib" / "x86_64-linux-gnu"
        library.mkdir(parents=True, exist_ok=True)
        for name in {"mesa": ("libvulkan_lvp.so", "libvulkan_radeon.so"), "loader": ("libvulkan.so.1",)}[package.stem]:
            (library / name).touch()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: DEBIAN)
    monkeypatch.setattr(debian, "fetch", fetch)
    monkeypatch.setattr(debian, "unpack", unpack)
    return asked


@pytest.mark.parametrize(
    ("release", "suites"), [("bookworm", ("bookworm", "bookworm-backports")), ("trixie", ("trixie",))]
)
def test_the_driver_comes_from_debian(source, monkeypatch, tmp_path, release, suites):
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: DEBIAN | {"VERSION_CODENAME": release})
    folder = SETUPS["gpu"].setup()
    # What it needs comes along; Debian 12 has a Mesa that the runtime refuses, and a newer one in its backports.
    assert source == [([f"mesa-vulkan-drivers/{suites[-1]}"], suites, True)]
    told = json.loads(lavapipe.manifest().read_text())["ICD"]
    library = folder / "usr" / "lib" / "x86_64-linux-gnu"
    assert told["library_path"] == str(library / "libvulkan_lvp.so")
    assert gpu._vulkan_of(lavapipe.manifest()) >= gpu.LEAST_VULKAN
    assert sorted(path.name for path in library.iterdir()) == ["libvulkan.so.1", "libvulkan_lvp.so"]
    assert lavapipe.libraries(folder) == [library]
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    assert sums == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("mesa.deb", "loader.deb")]
    assert [path.name for path in folder.parent.iterdir()] == ["lavapipe"]  # nothing half made
    assert SETUPS["gpu"].setup() == folder
    assert len(source) == 1


def test_what_breaks_off_leaves_nothing(source, monkeypatch):
    def breaks(package, folder):
        raise RuntimeError("no room")

    monkeypatch.setattr(debian, "unpack", breaks)
    with pytest.raises(RuntimeError, match="no room"):
        lavapipe.setup()
    assert list(lavapipe.folder().parent.iterdir()) == []


def test_elsewhere_it_says_what_to_install(source, monkeypatch):
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "fedora", "VERSION_CODENAME": ""})
    with pytest.raises(RuntimeError, match="install Mesa 25 or newer and a Vulkan loader"):
        lavapipe.setup()
    assert source == []
