"""What docs/adding.md says of a layer, done to the letter in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
USE = """
import keras, keraslayers
layer = keraslayers.Halve(by=4.0)
print(keraslayers.__file__, float(layer(keras.ops.full((1,), 8.0))[0]), type(layer).from_config(layer.get_config()).by)
"""


def test_the_layer_of_the_page_is_one_file_and_one_line(tmp_path):
    page = (ROOT / "docs" / "adding.md").read_text()
    (block,) = (found for found in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "class Halve" in found)
    shutil.copytree(ROOT / "keraslayers", tmp_path / "keraslayers", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "keraslayers" / "halve.py").write_text('"""Halves."""\n\n' + block)
    public = tmp_path / "keraslayers" / "_public.py"
    text = public.read_text()
    line = "from keraslayers.image_kernel"
    assert text.count(line) == text.count('    "HardSigmoid",\n') == 1
    text = text.replace(line, f"from keraslayers.halve import Halve\n{line}")
    public.write_text(text.replace('    "HardSigmoid",\n', '    "Halve",\n    "HardSigmoid",\n'))
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(tmp_path / "keraslayers" / "__init__.py"), "2.0", "4.0"]
