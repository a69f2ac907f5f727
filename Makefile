# Each target works on a fresh clone, on a machine that has only Python (3.11 or newer) and make.
#
#   make demo          the shipped model answers clips that it has never met; the report is demo/report.html
#   make test          the fast tests;  make test-slow: kills, several processes, browser, fuzz, long training
#   make lint          ruff and mypy
#   make transfer      nineteen tasks alone and together (hours; it goes on where it was interrupted);  make transfer-quick
#   make bench         the adapter, evaluation, masks, segmentation, parsers and prediction; results in benchmarks/results/
#   make test-peft PEFT=0.21.0   the adapter's tests on another version of PEFT
#
# Another Python:      make setup PYTHON=python3.12
# Another torch build: make setup TORCH_ARGS="--index-url ADDRESS"   or   TORCH="torch==VERSION torchvision==VERSION"

PYTHON ?= python3
TORCH ?= $(shell grep -E '^torch(vision)?==' constraints.txt)
TORCH_ARGS ?=
DEMO_ARGS ?=
TEST_ARGS ?=
SUITE_ARGS ?=
PEFT ?= 0.21.0

BIN := .venv/bin
UV := $(BIN)/uv pip install --python $(BIN)/python
READY := .venv/.ready
PINS := .venv/constraints-but-torch.txt
export UV_HTTP_TIMEOUT ?= 300
# once, at the installation: where PYTHONDONTWRITEBYTECODE is set every process would compile torch and transformers anew
export UV_COMPILE_BYTECODE ?= 1

TIDEPOOL := $(BIN)/crabplus build tidepool --workers 2 --out
QUICK := v2a,ucf,meld,avqa,ave,s4,ref_avs,avcap
SUITE := $(BIN)/crabplus transfer run configs/suite/tidepool.yaml --processes 2 --report

.PHONY: setup demo test test-slow test-peft lint bench transfer transfer-quick chromium

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	grep -v -E '^torch(vision)?==' constraints.txt > $(PINS)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(UV) --constraint $(PINS) $(TORCH_ARGS) $(TORCH)
	$(UV) --constraint $(PINS) --editable ".[all,dev]"
	touch $@

demo: $(READY)
	$(BIN)/crabplus demo --out demo $(DEMO_ARGS)

# two files at a time, so that fixtures of a file are made once
test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(TEST_ARGS)

# pytest's exit status 5 says that no test was selected
test-slow: $(READY) chromium
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile $(TEST_ARGS) || test $$? -eq 5

# The browser in which the slow tests use the web page; without it they fail, and say so.
chromium:
	@command -v "$${CHROMIUM:-chromium}" > /dev/null || \
	if command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && apt-get install -y --no-install-recommends chromium; \
	else \
		echo "the slow tests need Chromium: install it (Debian: apt-get install chromium), or name its file in CHROMIUM"; \
	fi

test-peft: $(READY)
	$(UV) --target .venv/peft-$(PEFT) --no-deps peft==$(PEFT)
	PYTHONPATH=.venv/peft-$(PEFT) $(BIN)/python -m pytest tests/ilora $(TEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

transfer: out/tidepool-data/avcap/train.jsonl
	$(SUITE) $(SUITE_ARGS)

out/tidepool-data/avcap/train.jsonl: $(READY)
	$(TIDEPOOL) out/tidepool-data --split test --samples 100
	$(TIDEPOOL) out/tidepool-data --split train --samples 50

transfer-quick: out/quick-data/avcap/train.jsonl
	$(SUITE) --quick base.data.folder=out/quick-data $(SUITE_ARGS)

out/quick-data/avcap/train.jsonl: $(READY)
	$(TIDEPOOL) out/quick-data --keys $(QUICK) --split test --samples 50
	$(TIDEPOOL) out/quick-data --keys $(QUICK) --split train --samples 50

bench: $(READY)
	$(BIN)/python benchmarks/ilora.py
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/masks.py
	$(BIN)/python benchmarks/segment.py
	$(BIN)/python benchmarks/parse.py
	$(BIN)/python benchmarks/killed.py
	$(BIN)/python benchmarks/predict.py
	$(BIN)/python benchmarks/constrain.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/long.py
	$(BIN)/python benchmarks/transfer.py
