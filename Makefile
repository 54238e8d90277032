# Everything runs in .venv, which the first command makes. PYTHON picks the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the environment was made from: change it and the next command makes it anew.
MADE := $(VENV)/.made

.PHONY: demo docs test test-whole test-quick test-lowest test-backends test-zoo test-mediapipe readme table-layers table-models table-weights wheel lint format bench bench-foreign bench-models bench-peers bench-tasks bench-torch bench-deformable mutate clean

demo: $(MADE) driver
	$(BIN)/keraslayers demo

# Of a law that holds for many networks or layers a sixth of the rows, of the next commit the next; `make test-whole`: all.
test test-whole: lint driver arm64 sshd firefox
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(if $(filter %-whole,$@),--all-rows)

# The heart of it in two minutes: layers against their oracles, files on every target, the rules of proof, messages.
QUICK := errors match parts house cover edit layers::test_equals_the_oracle export::test_every_precision_on_every_target
test-quick: $(MADE) driver
	$(BIN)/python -m pytest -n 2 $(foreach name,$(QUICK),tests/test_$(subst ::,.py::,$(name))$(if $(findstring ::,$(name)),,.py))

lint: $(MADE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.hints

format: $(MADE)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What pip installs elsewhere, into dist/.
wheel: $(MADE)
	$(BIN)/python -m build --wheel

# The site, into site/; warnings are errors.
docs: $(MADE)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: $(MADE) driver
	$(BIN)/python -m benchmarks

# One part of it: `make bench-layers`, `make bench-export`.
bench-%: $(MADE) driver
	$(BIN)/python -m benchmarks $*

# What the examples of detection, segmentation and the like come to in files.
bench-tasks bench-peers: $(MADE) driver
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks.$(@:bench-%=%)

# Models that nobody here wrote, from packages that nothing else needs.
OTHERS := .venv-models
bench-models: $(OTHERS)/.made driver
	TF_CPP_MIN_LOG_LEVEL=3 $(OTHERS)/bin/python -m benchmarks.others

$(OTHERS)/.made: setup.py pyproject.toml
	$(PYTHON) -m venv $(OTHERS)
	$(OTHERS)/bin/python -m pip install --quiet --upgrade pip
	$(OTHERS)/bin/python -m pip install --quiet --editable '.[others]'
	touch $@

# Files of other tools, each of which has an environment of its own; the newest onnx2tf needs Python 3.12, which uv finds.
FOREIGN := .venv-torch .venv-onnx2tf .venv-onnx2tf_direct
bench-foreign: $(MADE) driver $(FOREIGN:=/.made)
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks.foreign

# Torchvision's networks by way of ours and of the tools for PyTorch.
bench-torch: $(MADE) .venv-torch/.made .venv-onnx2tf/.made
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m benchmarks.torch_peers

# Deformable convolution on JAX beside torchvision's operator, on a GPU where there is one.
bench-deformable: .venv-torch/.made
	PYTHONPATH=. .venv-torch/bin/python -m benchmarks.deformable_torch

.venv-torch/.made .venv-onnx2tf/.made: .venv-%/.made: benchmarks/foreign/%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --requirement $<
	touch $@

.venv-onnx2tf_direct/.made: benchmarks/foreign/onnx2tf_direct.txt
	$(PYTHON) -m venv .venv-onnx2tf_direct/uv
	.venv-onnx2tf_direct/uv/bin/python -m pip install --quiet uv
	.venv-onnx2tf_direct/uv/bin/uv venv --quiet --allow-existing --seed --python 3.12 .venv-onnx2tf_direct
	.venv-onnx2tf_direct/bin/python -m pip install --quiet --requirement $<
	touch $@

# This installs the lower bounds in pyproject.toml, on another Python where there is one, and runs the tests in BOUNDED on
# the CPU: the oldest LiteRT has no other runtime.
LOWEST := .venv-lowest
OTHER_PYTHON = $(shell for each in python3.12 $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python) $(PYTHON); do \
	if $$each -c '' 2> /dev/null; then echo $$each; break; fi; done)
BOUNDED := layers::test_equals_the_oracle layers::test_file_round_trip layers::test_function_builds_a_functional_model \
	analysis errors edit export models_counts reparameterize
test-lowest: $(LOWEST)/.made
	$(LOWEST)/bin/python -m pytest -W default -n 2 -m 'not runtime' -k 'not int4' \
		$(foreach name,$(BOUNDED),tests/test_$(subst ::,.py::,$(name))$(if $(findstring ::,$(name)),,.py))

$(LOWEST)/.made: setup.py pyproject.toml
	$(OTHER_PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct \
		--editable '.[demo,test]'
	touch $@

# The layers on the other backends of Keras. Arrays are so small here that torch computes them faster without threads.
BACKENDS := .venv-backends
test-backends: $(BACKENDS)/.made
	KERAS_BACKEND=jax $(BACKENDS)/bin/python -m pytest -n 2
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 $(BACKENDS)/bin/python -m pytest -n 2

$(BACKENDS)/.made: setup.py pyproject.toml
	$(PYTHON) -m venv $(BACKENDS)
	$(BACKENDS)/bin/python -m pip install --quiet --upgrade pip
	$(BACKENDS)/bin/python -m pip install --quiet --editable '.[dev,jax,torch]'
	touch $@

# Our networks give what torchvision's and timm's code gives with the same weights.
ZOO := .venv-zoo
test-zoo: $(ZOO)/.made
	KERAS_BACKEND=torch $(ZOO)/bin/python -m pytest tests/test_zoo*.py

$(ZOO)/.made: setup.py pyproject.toml
	$(PYTHON) -m venv $(ZOO)
	$(ZOO)/bin/python -m pip install --quiet --upgrade pip
	$(ZOO)/bin/python -m pip install --quiet --editable '.[dev,zoo]'
	touch $@

# MediaPipe's ObjectDetector finds in our files what the files give.
MEDIAPIPE := .venv-mediapipe
test-mediapipe: $(MADE) $(MEDIAPIPE)/.made
	$(BIN)/python -m pytest tests/test_mediapipe.py

$(MEDIAPIPE)/.made: tests/mediapipe_requirements.txt
	$(PYTHON) -m venv $(MEDIAPIPE)
	$(MEDIAPIPE)/bin/python -m pip install --quiet --requirement $<
	touch $@

# Faults set into the code, and whether the tests see them; two hours.
MUTATE := .venv-mutate
mutate: $(MUTATE)/.made driver
	$(MUTATE)/bin/python -m benchmarks.mutants

$(MUTATE)/.made: setup.py pyproject.toml benchmarks/mutants/requirements.txt
	$(PYTHON) -m venv $(MUTATE)
	$(MUTATE)/bin/python -m pip install --quiet --upgrade pip
	$(MUTATE)/bin/python -m pip install --quiet --editable '.[dev]' --requirement benchmarks/mutants/requirements.txt
	touch $@

# Write what the demo prints, the table of layers and that of networks into benchmarks/verdicts.md.
readme: $(MADE) driver
	$(BIN)/python -m benchmarks.readme

table-layers: $(MADE) driver
	$(BIN)/python -m benchmarks.verdicts

table-models: $(MADE) driver
	$(BIN)/python -m benchmarks.models

# The addresses, hashes and facts of published weights, from the packages that publish them.
table-weights: $(ZOO)/.made
	KERAS_BACKEND=torch $(ZOO)/bin/python -m benchmarks.published

$(MADE): setup.py pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "keraslayers needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# LiteRT.js, for the runtimes of web pages; elsewhere than as root on Debian the verdict on browser reads UNTESTED where
# there is no npm.
PAGES := node_modules/.package-lock.json
$(PAGES): package.json package-lock.json
	@if ! command -v npm > /dev/null && [ -e /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
		echo "installing npm"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends npm > /dev/null; \
	fi
	@if command -v npm > /dev/null; then npm ci --silent --no-audit --no-fund && touch $@; fi

# The runtimes of the GPU need a Vulkan driver. Debian's has 16-bit floats, and lies in the user's cache. Elsewhere the
# verdict reads UNTESTED and says what to install.
.PHONY: driver
driver: $(MADE) $(PAGES)
	@$(BIN)/keraslayers setup gpu || echo "going on without it"
	@if [ ! -e /usr/lib/chromium/vk_swiftshader_icd.json ] && [ ! -e /opt/google/chrome/vk_swiftshader_icd.json ] \
		&& [ -e /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
		echo "installing chromium for its Vulkan driver"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium > /dev/null; \
	fi

# The tests of ssh want a server, which they start themselves; RUNLEVEL keeps apt from starting one.
.PHONY: sshd
sshd:
	@if [ ! -e /usr/sbin/sshd ] && [ -e /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
		echo "installing openssh-server for the tests"; \
		apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install --no-install-recommends openssh-server openssh-client > /dev/null; \
	fi

# Pages must run in another browser than Chromium, too.
.PHONY: firefox
firefox:
	@if ! command -v firefox-esr > /dev/null && ! command -v firefox > /dev/null && [ -e /etc/debian_version ] && [ "$$(id -u)" = 0 ]; then \
		echo "installing firefox-esr for the tests"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install --no-install-recommends firefox-esr > /dev/null; \
	fi

# ARM64 code and qemu, into the user's cache, for the LiteRT of this environment. Without them the verdict on arm64 reads
# UNTESTED.
.PHONY: arm64
arm64: $(MADE)
	$(BIN)/keraslayers setup arm64

clean:
	rm -rf $(VENV) $(FOREIGN) $(LOWEST) $(BACKENDS) $(ZOO) $(MEDIAPIPE) $(OTHERS) $(MUTATE) node_modules build dist site *.egg-info demo .pytest_cache .ruff_cache
