"""Any Keras 3 model, and any tool's file, to TFLite, with proof that it runs on the real runtime with right numbers."""

if __name__ != "keraslayers.export":
    raise ImportError(
        f"This package is `keraslayers.export`, not `{__name__}`: import it under that name, or every class "
        "would exist twice. In a checkout `import keraslayers.export` works from the repository's root."
    )

from keraslayers.export.artifact import Artifact
from keraslayers.export.benchmark import benchmark
from keraslayers.export.compare import Comparison, compare
from keraslayers.export.file.analyze_file import analyze_file
from keraslayers.export.pipeline import to_tflite
from keraslayers.export.precisions import PRECISIONS
from keraslayers.export.predict import Evaluation
from keraslayers.export.profile_file import profile
from keraslayers.export.proof.blame import Culprit, find_culprit
from keraslayers.export.proof.proof import Proof, Verdict
from keraslayers.export.prove_file import prove
from keraslayers.export.repair import repair
from keraslayers.export.report.latency import Latency
from keraslayers.export.report.operator_times import OperatorTime, Profile
from keraslayers.export.report.report import NotProvenError, Report
from keraslayers.export.runtimes.peaks import Peaks
from keraslayers.export.runtimes.ssh import ssh
from keraslayers.export.targets import TARGETS, Target

__all__ = [
    "PRECISIONS",
    "TARGETS",
    "Artifact",
    "Comparison",
    "Culprit",
    "Evaluation",
    "Latency",
    "NotProvenError",
    "OperatorTime",
    "Peaks",
    "Profile",
    "Proof",
    "Report",
    "Target",
    "Verdict",
    "analyze_file",
    "benchmark",
    "compare",
    "find_culprit",
    "profile",
    "prove",
    "repair",
    "ssh",
    "to_tflite",
]
