"""Debian's packages, fetched and unpacked into a folder: nothing is installed, and nobody has to be root.

apt fetches them with lists and a cache of its own, from the mirror that this machine takes Debian from, and checks what
comes against Debian's signatures.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from keraslayers.export.scratch import scratch

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# What is installed here.
STATUS = Path("/var/lib/dpkg/status")
TOOLS = ("apt-get", "dpkg", "dpkg-deb", "tar")


def fetch(packages, suites, folder, *, needs=False):
    """Downloads packages.

    Args:
        packages: as apt calls them: `name`, `name:arm64` of another processor, `name/suite` of one of several suites.
        suites: of Debian, as `"bookworm"`.
        folder: where the .deb files go.
        needs: whether those that they need come, too, as far as this machine has not got them.

    Returns:
        Their paths.

    Raises:
        RuntimeError: if this is no Debian, or apt cannot have them; in its words.
    """
    if lacking := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise RuntimeError(f"Debian's packages need {', '.join(lacking)}: this is no Debian.")
    here = _said(["dpkg", "--print-architecture"]).strip()
    architectures = dict.fromkeys([here, *(name.partition(":")[2].partition("/")[0] or here for name in packages)])
    with scratch() as own:
        for part in ("lists/partial", "archives/partial"):
            (own / part).mkdir(parents=True)
        (own / "status").touch()
        signed = f"signed-by={KEYS} " if KEYS.exists() else ""
        lines = [f"deb [{signed}arch={','.join(architectures)}] {_mirror()} {suite} main\n" for suite in suites]
        (own / "sources").write_text("".join(lines))
        settings = {
            "APT::Architectures": ",".join(architectures),
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Dir::State": own,
            "Dir::State::lists": own / "lists",
            "Dir::State::status": STATUS if needs else own / "status",
            "Dir::Cache": own,
            "Debug::NoLocking": "1",
            "Dir::Etc::sourcelist": own / "sources",
            "Dir::Etc::sourceparts": "/dev/null",
        }
        apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
        _said([*apt, "update"])
        folder.mkdir(parents=True, exist_ok=True)
        if needs:
            _said([*apt, "-y", "--no-install-recommends", "--download-only", "--reinstall", "install", *packages])
            for package in (own / "archives").glob("*.deb"):
                shutil.move(package, folder)
        else:
            _said([*apt, "download", *packages], cwd=folder)
    return sorted(folder.glob("*.deb"))


def unpack(package, folder, member=None):
    """Unpacks a .deb file, or of it one member alone, given as a path below the root."""
    folder.mkdir(parents=True, exist_ok=True)
    if member is None:
        _said(["dpkg", "-x", str(package), str(folder)])
        return
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reading:
        _said(["tar", "-x", "-C", str(folder), f"./{member}"], stdin=reading.stdout)


def _mirror():
    """The address of the mirror that this machine takes Debian from."""
    about = platform.freedesktop_os_release()
    names = {about.get("VERSION_CODENAME"), "stable", "oldstable", "testing", "unstable"}
    form = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
    listed = _said(["apt-get", "indextargets", "--no-release-info", "--format", form, "Created-By: Packages"])
    if about["ID"] == "debian":
        for release, component, address in map(str.split, listed.splitlines()):
            if release in names and component == "main":
                return address
    raise RuntimeError(
        "Debian's packages need Debian, and an apt that has a mirror of it; this is "
        f"{about['PRETTY_NAME']}. A container of Debian 12 or 13 will do."
    )


def _said(command, **options):
    """What a program prints; a RuntimeError with its last error if it fails."""
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=False,
        **{"stdin": subprocess.DEVNULL, **options},
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("E:", f"{command[0]}:"))]
        what = " ".join(word for word in command if not word.startswith("-o"))
        raise RuntimeError(f"`{what}` failed: {' '.join(errors or done.stderr.split()) or done.returncode}")
    return done.stdout
