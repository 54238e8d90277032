"""Mesa's lavapipe: a Vulkan driver in software that has 16-bit floats, fetched from Debian into the user's cache."""

import hashlib
import json
import platform

from keraslayers.export.cache import cache, filled
from keraslayers.export.progress import step
from keraslayers.export.runtimes import debian

PACKAGE, DRIVER = "mesa-vulkan-drivers", "libvulkan_lvp.so"
# Of Mesa 25, which LiteRT takes; a manifest must say one, and this is not looked at again.
VULKAN = "1.4.305"
# Debian whose own Mesa is older takes that of its backports.
OLD = ("bookworm",)
SUMS = "SHA256SUMS"


def folder():
    """Where it lies."""
    return cache("lavapipe")


def manifest():
    """What tells Vulkan of it; it is not there before `setup` was."""
    return folder() / "lvp_icd.json"


def libraries(folder):
    """Where the libraries lie that came with it."""
    return [*folder.glob("lib/*-linux-gnu"), *folder.glob("usr/lib/*-linux-gnu")]


def setup():
    """Fetches the driver, and what it needs and this machine has not, into the user's cache; returns the folder.

    apt checks the packages against Debian's signatures; what their sums were stands in the file `SHA256SUMS`.

    Raises:
        RuntimeError: if this is no Debian, or apt cannot have them.
    """
    if manifest().exists():
        return folder()
    about = platform.freedesktop_os_release() if platform.system() == "Linux" else {}
    release = about.get("VERSION_CODENAME")
    if about.get("ID") != "debian" or not release:
        raise RuntimeError(
            "a Vulkan driver is fetched from Debian, 12 or newer, and this is another system: install Mesa 25 or newer "
            "and a Vulkan loader with its own packages (mesa-vulkan-drivers and libvulkan1 of Ubuntu, "
            "mesa-vulkan-drivers and vulkan-loader of Fedora, vulkan-swrast and vulkan-icd-loader of Arch)"
        )
    suites = (release, f"{release}-backports") if release in OLD else (release,)
    return filled(folder(), lambda made: _fill(made, suites))


def _fill(made, suites):
    with step("fetching Mesa's software driver for Vulkan from Debian"):
        packages = debian.fetch([f"{PACKAGE}/{suites[-1]}"], suites, made / "fetched", needs=True)
    with step("unpacking"):
        for package in packages:
            debian.unpack(package, made)
    (found,) = (path for each in libraries(made) if (path := each / DRIVER).exists())
    # The drivers of other devices are large.
    for other in found.parent.glob("libvulkan_*.so"):
        if other != found:
            other.unlink()
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in packages]
    (made / SUMS).write_text("".join(lines))
    place = folder() / found.relative_to(made)
    told = {"file_format_version": "1.0.0", "ICD": {"library_path": str(place), "api_version": VULKAN}}
    (made / manifest().name).write_text(json.dumps(told))
