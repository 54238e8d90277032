"""The three code folders install as one import package, keraslayers."""

from setuptools import setup

ROOMS = ("app", "convert", "file", "optimize", "passes", "proof", "report", "rewrites", "runtimes", "source")
CODE = {
    "keraslayers": "keraslayers",
    "keraslayers._commands": "keraslayers/_commands",
    "keraslayers.analysis": "keraslayers/analysis",
    "keraslayers.models": "models",
    "keraslayers.models.detection": "models/detection",
    "keraslayers.models.keypoints": "models/keypoints",
    "keraslayers.models.segmentation": "models/segmentation",
    "keraslayers.models.super_resolution": "models/super_resolution",
    "keraslayers.models.weights": "models/weights",
    "keraslayers.export": "export",
    **{f"keraslayers.export.{room}": f"export/{room}" for room in ROOMS},
    # Data alone, but setuptools takes every folder for a package and wants to hear of it.
    "keraslayers.export.report.app": "export/report/app",
}

setup(
    packages=list(CODE),
    package_dir=CODE,
    package_data={
        "keraslayers": ["py.typed", "*.html"],
        "keraslayers.models.weights": ["*.json"],
        "keraslayers.export.report": ["*.html"],
        "keraslayers.export.report.app": ["*.html", "*.js"],
        "keraslayers.export.runtimes": ["*.html", "*.js"],
    },
)
