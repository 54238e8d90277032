"""MediaPipe's ObjectDetector on a file; its environment runs this as a script: `FILE.tflite IMAGES.npy LEAST MOST`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

MEDIAPIPE = Path(__file__).parent.parent / ".venv-mediapipe" / "bin" / "python"


def found(file, images, folder, *, least, most):
    """By image what it finds: a list of (x1, y1, x2, y2 in whole pixels, label, score)."""
    path = folder / "images.npy"
    np.save(path, images)
    command = [MEDIAPIPE, __file__, file, path, str(least), str(most)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def main(file, images, least, most):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ObjectDetectorOptions(
        BaseOptions(model_asset_path=file), score_threshold=float(least), max_results=int(most)
    )
    told = []
    with vision.ObjectDetector.create_from_options(options) as detector:
        for image in np.load(images):
            given = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
            told.append([_told(one) for one in detector.detect(given).detections])
    print(json.dumps(told))


def _told(one):
    box, (best,) = one.bounding_box, one.categories
    corners = box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height
    return corners, best.category_name, best.score


if __name__ == "__main__":
    main(*sys.argv[1:])
