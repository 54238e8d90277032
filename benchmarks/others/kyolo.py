"""Detectors of kyolo: the feature maps that its post-processing reads."""

from kyolo import models

from benchmarks.others.data import images, settle


def _of(build, side=64):
    model, x = build(nc=4, input_shape=(side, side, 3)), images(side, side, 3)
    return settle(model, x), x


def yolov5():
    return _of(models.yolov5n)


def yolov8():
    return _of(models.yolov8n)


def yolo11():
    return _of(models.yolo11n)


def yolo12():
    return _of(models.yolo12n)


MODELS = (yolov5, yolov8, yolo11, yolo12)
