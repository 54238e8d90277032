"""The three code folders install as one import package, keraslayers."""

from setuptools import setup

CODE = {
    "keraslayers": "keraslayers",
    "keraslayers.models": "models",
    "keraslayers.export": "export",
    "keraslayers.export.optimize": "export/optimize",
    "keraslayers.export.passes": "export/passes",
    "keraslayers.export.runtimes": "export/runtimes",
}

setup(
    packages=list(CODE),
    package_dir=CODE,
    package_data={"keraslayers": ["py.typed", "*.html"], "keraslayers.export": ["*.html"]},
)
