"""What users write, for a type checker alone: nobody runs it.

Where pyright is told to ignore an error there is one: it says so if it finds none.
"""

from pathlib import Path

import keras
import numpy as np

import keraslayers
from keraslayers import export, models
from keraslayers.export import optimize
from keraslayers.models import detection, keypoints, segmentation, super_resolution

images = np.zeros((64, 32, 32, 3), "float32")


class Square(keras.layers.Layer):
    def call_cost(self, input_shape, output_shape) -> keraslayers.Cost:
        return keraslayers.Cost(multiply_adds=1, window=keraslayers.Window(3, 2))


def layers() -> None:
    shuffle = keraslayers.ChannelShuffle(groups=2, name="shuffle")
    groups: int = shuffle.groups
    keraslayers.ChannelShuffle(groups)
    keraslayers.ChannelShuffle("2")  # pyright: ignore[reportArgumentType]
    keraslayers.ChannelShuffle(2, data_format=keras.config.image_data_format())
    keraslayers.hard_sigmoid(images, "torch")  # pyright: ignore[reportArgumentType]
    keraslayers.ChannelShuffle()  # pyright: ignore[reportCallIssue]
    keraslayers.PaddedConv2D(8, 3, strides=(2, 2), padding=((1, 0), (1, 0)), padding_mode="edge")
    keraslayers.PaddedConv2D(8, 3, padding=(1, (0, 1)), activation=keras.activations.relu)
    keraslayers.DeformableConv2D(8, (3, 3), activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4))
    keraslayers.DeformableConv2D(8, 3, max_offset=0.5)  # pyright: ignore[reportArgumentType]
    keraslayers.nothing  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def networks() -> keras.Model:
    model = models.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, weights="imagenet", preprocessing=True)
    models.create("lenet5", modern=True).summary()
    models.LeNet5(weights=Path("lenet5.keras"))
    models.LeNet5(moderm=True)  # pyright: ignore[reportCallIssue]
    models.MobileNetV2(classes="ten")  # pyright: ignore[reportArgumentType]
    models.mobilenet_v9  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
    parameters: int = models.spec("mobilenet_v2").references[0].parameters
    top1: list[float | None] = [weights.top1 for weights in models.published("mobilenet_v2")]
    print(parameters, top1, keraslayers.models.names()[0].upper())
    detector = detection.FCOS(models.features(model), classes=3, strides=(8, 16))
    detector.compile("adam", loss=detection.losses(detector))
    detector.fit(images, detection.targets(detector, [[[0, 0, 8, 8]], []], [[1], []]))
    segmentation.UNet(classes=2, output="class_map")
    segmentation.UNet(classes=2, output="classes")  # pyright: ignore[reportArgumentType]
    keypoints.SimpleBaseline(model, 17)
    super_resolution.enlarge(super_resolution.ESPCN(scale=2).predict, images[0], tile=16, overlap=4)
    return keraslayers.reparameterize(model)


def costs(model: keras.Model) -> float:
    found = keraslayers.analyze(model, input_shape=(224, 224, 3))
    found.plot("costs.svg")
    print(found, found.layers[0].multiply_adds, found.layers[0].macs)  # pyright: ignore[reportAttributeAccessIssue]
    return found.bytes("int8") / found.parameters


def files(model: keras.Model) -> None:
    made = export.to_tflite(model, target="gpu", precision="int8", samples=images, skip=["stem", keras.layers.Softmax])
    path: Path = made.save("app.tflite", labels=["cat", "dog"], normalization=(127.5, [127.5, 1, 1]))
    report: export.Report = export.prove(path, runtimes=["cpu", export.ssh("pi@raspberrypi")], samples=[images])
    print(report.require().proof("cpu").snr_db, report.operators["CONV_2D"] + 1, report.largest)
    board = export.Target("board", (export.ssh("pi@raspberrypi"), "cpu"), "a board")
    export.repair(path.read_bytes(), target=board, samples={"image": images}).save_page("app.html", points="xy")
    for precision in export.PRECISIONS:
        export.to_tflite(model, precision=precision, evaluate=lambda predict: predict(images).mean(), max_drop=0.01)
    for target in export.TARGETS.values():
        export.to_tflite(model, target=target, preprocessing=keras.layers.Rescaling(1 / 255), io="uint8")
    print(made.predict(images)[0], made.predict(images)["scores"], made.evaluate(images).keras["accuracy"])
    if culprit := export.find_culprit(made.tflite, "gpu", samples=images):
        print(culprit.layer, culprit.remedy)
    print(export.compare(path, made.tflite).layers[0].snr_db, export.benchmark(path).median_ms)
    print(export.analyze_file(path).multiply_adds)
    profile: export.Profile = export.profile(path, samples=images)
    profile.to_html("profile.html")
    print(profile.costliest[0].ratio, profile.peaks.multiply_adds["int8"], *profile.save_node_data("app.nodes.json"))
    export.to_tflite(model, precision="int9")  # pyright: ignore[reportArgumentType]
    export.to_tflite(model, target="phone")  # pyright: ignore[reportArgumentType]
    export.to_tflite(model, samples="images")  # pyright: ignore[reportArgumentType]
    export.to_tflite(model, sample=images)  # pyright: ignore[reportCallIssue]
    export.repair(images)  # pyright: ignore[reportArgumentType]
    made.blob  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def training(model: keras.Model) -> keras.Model:
    pruned = optimize.prune(model, sparsity=0.5, pattern="2:4")
    clustered = optimize.cluster(pruned, clusters=16, skip=["stem"])
    trained = optimize.quantize_aware(clustered, samples=images)
    optimize.save(trained, Path("trained.zip"))
    optimize.save("model", "model.zip")  # pyright: ignore[reportArgumentType]
    optimize.prune(model, sparsity=0.5, patern="2:4")  # pyright: ignore[reportCallIssue]
    return optimize.strip(optimize.load("trained.zip"))
