# One command each; what it needs it installs into .venv (downloads aside, nothing else is touched).
#   make demo    a synthesized bedside minute, replayed: was the cry heard, was anything else?
#   make test    everything the tests need, then all tests
#   make check   lint, types, import contracts
#   make bench   what replay, the daemon, its alarms, its page and preparation cost, as ratios within one run
#   make bench-arm64    what a window costs in executed instructions of an emulated Cortex-A72; needs root
#   make chaos   faults at random moments: how many alarms are lost
#   make soak    a night of sound through the daemon: memory, threads, processes and files stay flat
#   make fleet   what a broker of many devices takes, how late alarms are, and what is lost when it dies
#   make mutations    5,000 damaged bundles with their hashes made to fit: each is refused in one sentence, or opens
#   make families    every network of the bench, with random weights, through converter, checks and replay; many minutes
#   make systems    trains and judges every system of the bench that is left, into RUNS; hours, and what was stopped goes on
#   make reports RUNS=DIR    converts the finished runs in DIR; writes converter/REPORT.md and training/RESULTS.md
#   make test-fresh    make demo and make test in bare trees of both supported releases; needs root
#   make test-arm64    replays recordings, with the shipped models and with each published system, in emulated aarch64 trees; needs root
#   make test-ha a real Home Assistant follows the daemon; needs root
#   make test-page    a real browser looks at the page of a real daemon; pictures in build/page; needs root
#   make test-torch    training on torch, in an environment of its own; networks pass between it and TensorFlow
#   make models  trains, converts and measures the models cry, scream and lung and the designs cry-residual and
#                scream-resnet34 and the free cry-open anew, into build/models; data in DATA, weights in PEERS; hours of two cores, and what was stopped goes on
#   make lung-elsewhere    how the shipped lung model parts adults of two collections that it did not learn
#   make lock    refresh requirements*.txt from pyproject.toml

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
OUT ?= build
RUNS ?= build/runs
DATA ?= ../shared/data
PEERS ?= ../shared/peers
MODELS := $(OUT)/models
SEQUENCES := $(MODELS)/sequences
RESIDUAL := $(MODELS)/cry-residual
RESNET34 := $(MODELS)/scream-resnet34
OPEN := $(MODELS)/open
AUDIOSET := $(PEERS)/audioset_mn04.npz
TRAINING := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 $(BIN)/python -m training
TORCH ?= torch==2.13.0
TORCH_VENV ?= build/torch-venv
PLAYWRIGHT ?= playwright==1.65.2 axe-playwright-python==0.1.8
PLAYWRIGHT_AT ?= build/playwright
OPEN_FOR_S ?= 60

.PHONY: demo test families systems reports check bench bench-arm64 soak chaos fleet mutations test-fresh test-arm64 test-ha test-page test-torch models lung-elsewhere lock clean system-packages

demo: $(VENV)/.device
	$(BIN)/auricle demo --out $(OUT)/demo

test: $(VENV)/.dev system-packages
	$(BIN)/pytest -n auto --dist loadscope

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-arm64: $(VENV)/.dev
	$(BIN)/python -m benchmarks.instructions

bench: $(VENV)/.dev system-packages
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m benchmarks.replay
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.daemon
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.alarms
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.page
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.preparation

soak: $(VENV)/.dev system-packages
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.soak

chaos: $(VENV)/.dev system-packages
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.chaos

fleet: $(VENV)/.dev system-packages
	$(BIN)/python -m benchmarks.fleet

mutations: $(VENV)/.dev
	$(BIN)/python -m tests.device.runtime.bundle_trial.mutations

families: $(VENV)/.dev
	$(BIN)/pytest -q tests/converter/every_family.py

systems: $(VENV)/.dev
	$(BIN)/python -m training bench --data $(DATA) --weights $(AUDIOSET) --out $(RUNS)

reports: $(VENV)/.dev
	$(BIN)/python -m training windows $(RUNS) --out $(OUT)/windows
	$(BIN)/python -m converter report $(RUNS) --windows $(OUT)/windows --work $(OUT)/converted --out converter/REPORT.md
	$(BIN)/python -m training report $(RUNS) --converted $(OUT)/converted --out training/RESULTS.md

test-fresh: $(VENV)/.dev
	$(BIN)/python -m tests.fresh.try_releases

test-arm64: $(VENV)/.dev
	$(BIN)/python -m tests.arm64.compare

test-ha: $(VENV)/.dev system-packages
	$(BIN)/python -m tests.ha.follow

# Playwright drives the distribution's Chromium, and lies in a folder of its own: 170 MB that only this target needs.
test-page: $(VENV)/.dev system-packages $(PLAYWRIGHT_AT)/.installed
	$(BIN)/python -m tests.page.look --playwright $(PLAYWRIGHT_AT) --open-for-s $(OPEN_FOR_S)

$(PLAYWRIGHT_AT)/.installed: | $(VENV)/.dev
	rm -rf $(PLAYWRIGHT_AT)
	$(PIP) --target $(PLAYWRIGHT_AT) $(PLAYWRIGHT)
	touch $@

# torch is no part of the locked environment: a gigabyte that only this target needs.
test-torch: $(TORCH_VENV)/.torch
	KERAS_BACKEND=torch $(TORCH_VENV)/bin/pytest tests/training/torch_backend

$(TORCH_VENV)/.torch: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(TORCH_VENV)/bin/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(TORCH_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

models: $(MODELS)/cry.tflite $(MODELS)/cry-reason.tflite $(MODELS)/scream.tflite $(MODELS)/lung.tflite $(MODELS)/cry-residual.tflite $(MODELS)/scream-resnet34.tflite $(MODELS)/cry-open.tflite

# One network for cry and scream: docs/model-runbook.md says what each step reads and writes. A file `finished` stands for
# a step whose folder is there from its beginning.
$(SEQUENCES)/mixed: $(VENV)/.dev
	mkdir -p $(@D)
	$(BIN)/python -m training mix --data $(DATA) --weights $(AUDIOSET) --work $(SEQUENCES) --part val --shards 4
	$(BIN)/python -m training mix --data $(DATA) --weights $(AUDIOSET) --work $(SEQUENCES) --shards 60
	touch $@

$(SEQUENCES)/1/finished: $(SEQUENCES)/mixed
	$(BIN)/python -m training fit --work $(SEQUENCES) --weights $(AUDIOSET) --out $(@D)
	touch $@

$(SEQUENCES)/mined.json: $(SEQUENCES)/1/finished
	$(BIN)/python -m training mine-sequences --run $(<D) --work $(SEQUENCES) --data $(DATA) --out $@

$(SEQUENCES)/2/finished: $(SEQUENCES)/mined.json
	$(BIN)/python -m training mix --data $(DATA) --weights $(AUDIOSET) --work $(SEQUENCES) --first 60 --shards 40 --mined $<
	$(BIN)/python -m training fit --work $(SEQUENCES) --weights $(AUDIOSET) --start $(SEQUENCES)/1 --late-steps 2400 --out $(@D)
	touch $@

$(SEQUENCES)/trained/finished: $(SEQUENCES)/2/finished
	$(BIN)/python -m training hand-over --run $(<D) --work $(SEQUENCES) --data $(DATA) --out $(@D)
	touch $@

$(MODELS)/cry-1.tflite: $(SEQUENCES)/trained/finished
	$(BIN)/python -m converter convert $(<D)/cry --quantize dynamic --out $@ --report $(MODELS)/cry-conversion.json

$(MODELS)/scream-1.tflite: $(SEQUENCES)/trained/finished $(MODELS)/cry-1.tflite
	$(BIN)/python -m converter convert $(<D)/scream --quantize dynamic --backbone $(MODELS)/cry-1.tflite --out $@ --report $(MODELS)/scream-conversion.json

$(SEQUENCES)/reason/figures.json: $(SEQUENCES)/2/finished
	$(TRAINING) reason --run $(<D) --data $(DATA) --out $(@D)

$(MODELS)/cry-reason.tflite: $(SEQUENCES)/reason/figures.json $(MODELS)/cry-1.tflite training/cards/cry-reason.json
	$(BIN)/python -m converter convert $(<D)/cry-reason --quantize dynamic --backbone $(MODELS)/cry-1.tflite --out $(MODELS)/cry-reason-1.tflite --report $(MODELS)/cry-reason-conversion.json
	$(BIN)/python -m training card --bundle $(MODELS)/cry-reason-1.tflite --name cry-reason --model-version 1.0.0 --description training/cards/cry-reason.json --out $@

$(MODELS)/cry.tflite $(MODELS)/scream.tflite: $(MODELS)/%.tflite: $(MODELS)/%-1.tflite training/cards/%.json
	$(BIN)/python -m training evaluate --model $< --data $(DATA) --split val --task $* --label $* --json $(MODELS)/$*-val.json --operating-point $(MODELS)/$*-point.json
	$(BIN)/python -m training card --bundle $< --name $* --model-version 2.0.0 --label $* --operating-point $(MODELS)/$*-point.json --description training/cards/$*.json --out $(MODELS)/$*-2.tflite
	$(BIN)/python -m training evaluate --model $(MODELS)/$*-2.tflite --data $(DATA) --task $* --label $* --peer $(PEERS)/yamnet.tflite --json $(MODELS)/$*-test.json --markdown $(MODELS)/$*-model.md
	$(BIN)/python -m training card --bundle $(MODELS)/$*-2.tflite --report $(MODELS)/$*-test.json --out $@

# The committed list names the files of several collections; lung learns from one of them.
$(MODELS)/lung.csv: training/splits/lung.csv
	mkdir -p $(MODELS)
	sed -n -e '1s/.*/file,subject,part/p' -e 's/^sprsound\/\([^,]*\),sprsound,\([^,]*\),\([^,]*\),.*/\1,\2,\3/p' $< > $@

$(MODELS)/lung/description.json: $(VENV)/.dev
	$(TRAINING) fit-breath --data $(DATA) --weights $(AUDIOSET) --out $(@D)

# int8 activations move its scores farther than the converter allows, so only its weights are int8: docs/lung-model.md.
$(MODELS)/lung.tflite: $(MODELS)/lung/description.json $(MODELS)/lung.csv training/cards/lung.json
	$(BIN)/python -m converter convert $(<D) --quantize dynamic --out $(MODELS)/lung-1.tflite --report $(MODELS)/lung-conversion.json
	$(TRAINING) evaluate --model $(MODELS)/lung-1.tflite --data $(DATA)/sprsound --split val --split-list $(MODELS)/lung.csv --json $(MODELS)/lung-val.json --operating-point $(MODELS)/lung-points.json --most-false-an-hour 24
	$(TRAINING) card --bundle $(MODELS)/lung-1.tflite --name lung --model-version 1.0.0 --operating-point $(MODELS)/lung-points.json --description training/cards/lung.json --out $(MODELS)/lung-2.tflite
	$(TRAINING) evaluate --model $(MODELS)/lung-2.tflite --data $(DATA)/sprsound --split test --split-list $(MODELS)/lung.csv --json $(MODELS)/lung-test.json
	$(TRAINING) card --bundle $(MODELS)/lung-2.tflite --report $(MODELS)/lung-test.json --out $@

# Two collections of adults, of which the model learned nothing, judge it: all their patients are in the test part of these lists.
lung-elsewhere: $(MODELS)/elsewhere-kauh.json $(MODELS)/elsewhere-icbhi_more.json

$(MODELS)/all-%.csv: training/splits/lung.csv
	mkdir -p $(MODELS)
	sed -n -e '1s/.*/file,subject,part/p' -e 's/^$*\/\([^,]*\),$*,\([^,]*\),[^,]*,.*/\1,\2,test/p' $< > $@

$(MODELS)/elsewhere-%.json: $(MODELS)/all-%.csv $(VENV)/.dev
	$(TRAINING) evaluate --model device/models/lung.tflite --data $(DATA)/$* --split test --split-list $< --json $@

# A cry model of free recordings alone: docs/cry-open-model.md.
$(OPEN)/mixed: $(VENV)/.dev
	mkdir -p $(@D)
	$(TRAINING) mix --data $(DATA) --weights $(AUDIOSET) --work $(OPEN) --free-only --part val --shards 3
	$(TRAINING) mix --data $(DATA) --weights $(AUDIOSET) --work $(OPEN) --free-only --shards 32
	touch $@

$(OPEN)/1/finished: $(OPEN)/mixed
	$(TRAINING) fit --work $(OPEN) --weights $(AUDIOSET) --out $(@D) --head-steps 1500 --late-steps 1000
	touch $@

$(OPEN)/trained/finished: $(OPEN)/1/finished
	$(TRAINING) hand-over --run $(<D) --work $(OPEN) --data $(DATA) --out $(@D) --shift -3.2
	touch $@

$(MODELS)/cry-open.tflite: $(OPEN)/trained/finished training/cards/cry-open.json
	$(BIN)/python -m converter convert $(<D)/cry --quantize dynamic --out $(MODELS)/cry-open-1.tflite --report $(MODELS)/cry-open-conversion.json
	$(TRAINING) evaluate --model $(MODELS)/cry-open-1.tflite --data $(DATA) --split val --task cry --label cry --json $(MODELS)/cry-open-val.json --operating-point $(MODELS)/cry-open-point.json
	$(TRAINING) card --bundle $(MODELS)/cry-open-1.tflite --name cry-open --model-version 1.0.0 --label cry --operating-point $(MODELS)/cry-open-point.json --description training/cards/cry-open.json --out $(MODELS)/cry-open-2.tflite
	$(TRAINING) evaluate --model $(MODELS)/cry-open-2.tflite --data $(DATA) --task cry --label cry --peer $(PEERS)/yamnet.tflite --json $(MODELS)/cry-open-test.json --markdown $(MODELS)/cry-open-model.md
	$(TRAINING) card --bundle $(MODELS)/cry-open-2.tflite --report $(MODELS)/cry-open-test.json --out $@

# The residual design for cries, under AudioSet's network as its teacher: docs/cry-residual-model.md.
$(RESIDUAL)/soft_labeller.npz: $(VENV)/.dev
	mkdir -p $(@D)
	$(TRAINING) teach --data $(DATA) --weights $(AUDIOSET) --work $(@D) --seed 1

$(RESIDUAL)/1/finished: $(RESIDUAL)/soft_labeller.npz
	$(TRAINING) distill --data $(DATA) --work $(RESIDUAL) --out $(@D) --seed 11 --steps 6000 --learning-rate 0.002
	touch $@

$(RESIDUAL)/hard_negatives.json: $(RESIDUAL)/1/finished
	$(TRAINING) mine --data $(DATA) --work $(RESIDUAL) --network $(<D)/best.keras

$(RESIDUAL)/2/finished: $(RESIDUAL)/hard_negatives.json
	$(TRAINING) distill --data $(DATA) --work $(RESIDUAL) --out $(@D) --seed 12 --steps 3000 --learning-rate 0.0015 --start $(RESIDUAL)/1/best.keras
	touch $@

$(RESIDUAL)/trained/finished: $(RESIDUAL)/2/finished training/cards/cry-residual.json
	$(TRAINING) operate --data $(DATA) --work $(RESIDUAL) --network $(<D)/last.keras --out $(RESIDUAL)/point.json
	$(TRAINING) export --data $(DATA) --work $(RESIDUAL) --network $(<D)/last.keras --point $(RESIDUAL)/point.json --recipe training/cards/cry-residual.json --folder $(@D) --seed 1
	touch $@

$(MODELS)/cry-residual.tflite: $(RESIDUAL)/trained/finished training/cards/cry-residual.json
	$(BIN)/python -m converter convert $(<D) --quantize int8 --out $(MODELS)/cry-residual-1.tflite --report $(MODELS)/cry-residual-conversion.json
	$(TRAINING) evaluate --model $(MODELS)/cry-residual-1.tflite --data $(DATA) --split val --json $(MODELS)/cry-residual-val.json --operating-point $(MODELS)/cry-residual-point.json
	$(TRAINING) card --bundle $(MODELS)/cry-residual-1.tflite --name cry-residual --model-version 1.0.0 --operating-point $(MODELS)/cry-residual-point.json --description training/cards/cry-residual.json --out $(MODELS)/cry-residual-2.tflite
	$(TRAINING) evaluate --model $(MODELS)/cry-residual-2.tflite --data $(DATA) --peer $(PEERS)/yamnet.tflite --json $(MODELS)/cry-residual-test.json --markdown $(MODELS)/cry-residual-model.md
	$(TRAINING) card --bundle $(MODELS)/cry-residual-2.tflite --report $(MODELS)/cry-residual-test.json --out $@

# ResNet34 for screams, breaking glass and sirens: docs/scream-resnet34-model.md.
$(RESNET34)/run.json: $(VENV)/.dev
	$(TRAINING) train --system resnet34/abnormal --data $(DATA) --seed 1 --budget-core-minutes 30 --out $(@D) --workers 1

$(MODELS)/scream-resnet34.tflite: $(RESNET34)/run.json training/cards/scream-resnet34.json training/cards/scream-resnet34-points.json
	$(BIN)/python -m converter convert $(<D) --quantize int8 --out $(MODELS)/scream-resnet34-1.tflite --report $(MODELS)/scream-resnet34-conversion.json
	$(TRAINING) evaluate --model $(MODELS)/scream-resnet34-1.tflite --data $(DATA) --split val --task scream --label scream --json $(MODELS)/scream-resnet34-val.json --operating-point $(MODELS)/scream-resnet34-point.json --highest-threshold 0.75
	$(TRAINING) card --bundle $(MODELS)/scream-resnet34-1.tflite --operating-point training/cards/scream-resnet34-points.json --out $(MODELS)/scream-resnet34-marked.tflite
	$(TRAINING) card --bundle $(MODELS)/scream-resnet34-marked.tflite --name scream-resnet34 --model-version 1.0.0 --label scream --operating-point $(MODELS)/scream-resnet34-point.json --description training/cards/scream-resnet34.json --out $(MODELS)/scream-resnet34-2.tflite
	$(TRAINING) evaluate --model $(MODELS)/scream-resnet34-2.tflite --data $(DATA) --task scream --label scream --peer $(PEERS)/yamnet.tflite --json $(MODELS)/scream-resnet34-test.json --markdown $(MODELS)/scream-resnet34-model.md
	$(TRAINING) evaluate --model $(MODELS)/scream-resnet34-2.tflite --data $(DATA) --task glass_breaking --json $(MODELS)/scream-resnet34-glass_breaking.json
	$(TRAINING) evaluate --model $(MODELS)/scream-resnet34-2.tflite --data $(DATA) --task siren --json $(MODELS)/scream-resnet34-siren.json
	$(TRAINING) card --bundle $(MODELS)/scream-resnet34-2.tflite --report $(MODELS)/scream-resnet34-test.json --out $@

# The list of a lock names no registry, so it holds wherever the packages come from. The first is what `auricle install`
# lays down; it may be configured to check signatures and to serve the page, so it holds what these need.
lock: $(VENV)/.dev
	$(BIN)/uv lock --quiet --upgrade
	$(BIN)/uv export --quiet --no-header --no-emit-project --format requirements.txt --extra device --extra signing --extra web --extra push -o requirements.txt
	$(BIN)/uv export --quiet --no-header --no-emit-project --format requirements.txt --extra dev -o requirements-dev.txt
	rm uv.lock

system-packages:
	@sh tests/system/packages.sh

$(BIN)/python:
	$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); sys.exit(None if ok else "Auricle needs Python 3.11 to 3.13; name one with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.device: $(BIN)/python requirements.txt pyproject.toml
	$(PIP) --require-hashes -r requirements.txt
	$(PIP) --no-deps -e .
	touch $@

$(VENV)/.dev: $(BIN)/python requirements-dev.txt pyproject.toml
	$(PIP) --require-hashes -r requirements-dev.txt
	$(PIP) --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
