# Everything is reached from here: `make help` lists the targets.
# Environments are made on first use from each folder's pinned requirement file (.ci/make_env.py).

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
PROTOCOL ?= $(if $(SPLIT),own,paper)
DEVICE ?= auto
OUT ?= results
VARIANT ?= modern
PYTHON_GPU ?= .venvs/rssgl-modern/bin/python
STACK := $(if $(findstring era,$(VARIANT)),era,modern)
RUNNER ?= venv
PROTOCOLS ?= released paper spatial-cv
SCENES := indianpines pavia salinas ksc houston

# per paper: slug, folder (also the package), interpreter of its own time, folders on its path
EVERY_PAPER := ssdgl rssgl a2s2k da-imrn apdclnn
PAPERS := $(EVERY_PAPER)
# of the demo: those on PyTorch, or those asked for, PAPERS=all for every one
DEMO_PAPERS = $(if $(filter file,$(origin PAPERS)),ssdgl rssgl a2s2k,$(if $(filter all,$(PAPERS)),$(EVERY_PAPER),$(PAPERS)))
FOLDER_ssdgl := ssdgl
ERA_PYTHON_ssdgl := 3.8
SOURCES_ssdgl := shared_data simplecv_vendor ssdgl
FOLDER_rssgl := rssgl
ERA_PYTHON_rssgl := 3.8
SOURCES_rssgl := shared_data simplecv_vendor rssgl
FOLDER_a2s2k := a2s2k_resnet
ERA_PYTHON_a2s2k := 3.7
SOURCES_a2s2k := shared_data a2s2k_resnet
FOLDER_da-imrn := da_imrn
ERA_PYTHON_da-imrn := 3.7
SOURCES_da-imrn := shared_data da_imrn
FOLDER_apdclnn := apdclnn
ERA_PYTHON_apdclnn := 3.6
SOURCES_apdclnn := shared_data apdclnn

comma := ,
empty :=
space := $(empty) $(empty)

configurations = $(filter-out generic,$(basename $(notdir $(wildcard $(FOLDER_$(1))/configs/*.toml))))
# the command that fetches the scene of a paper's configuration where it is missing and no folders are named; nothing for
# the generated scene, own scenes and for names that are no configuration's (they begin with their scene's)
scene_of = $(filter-out synthetic,$(basename $(notdir $(wildcard $(FOLDER_$(1))/configs/$(firstword $(subst -, ,$(2))).toml))))
fetch_first = $(if $(DATA)$(HSI_DATA)$(OWN_SCENE),,$(addprefix $(MAKE) --no-print-directory present-,$(call scene_of,$(1),$(2))))
MAKE_ENV := $(PYTHON) .ci/make_env.py
SHARED := .venvs/shared-modern/bin/python -m shared_data
# with generated tables and pictures; a paper's own README is its own command's
DOCUMENTS := README.md docs/results.md docs/performance.md

# MODEL names a network of a2s2k; a path there is a trained model, as WEIGHTS is
ifneq ($(findstring /,$(value MODEL)),)
override WEIGHTS := $(value MODEL)
override MODEL :=
endif

# Text that a user gives reaches recipes as environment variables, "$$OUT", in which blanks, quotes and $ are only text.
# OUT has a default, and NAME is set in some systems: for make scene these two only count on the command line of make
GIVEN_OUT := $(filter command,$(word 1,$(origin OUT)))
GIVEN_NAME := $(filter command,$(word 1,$(origin NAME)))
TEXTS := OUT SET DATA RUN REPORT FIGURES EXPORT WEIGHTS PROFILE IMAGE PREDATA SPLIT SCENE CUBE GT NAME CUBE_KEY GT_KEY UNLABELLED IGNORE DROP_BANDS
$(foreach name,$(TEXTS),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

# a description of an own scene; any other SCENE is the name of a configuration to audit
OWN_SCENE := $(filter %.toml,$(lastword $(SCENE)))
OWN_SCENE_OPTION = $(if $(OWN_SCENE),--scene "$$SCENE")

# options of a run, from the variables a user may set; those that name no file are the same in a container
RUN_OPTIONS = $(OWN_SCENE_OPTION) --out "$$OUT" $(DATA_OPTION) $(PREDATA_OPTION) $(SPLIT_OPTION) \
	$(OPTIONS_WITHOUT_FILES)
OPTIONS_WITHOUT_FILES = --protocol $(PROTOCOL) --device $(DEVICE) \
	$(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(FOLD_OPTION) $(if $(ITERS),--iters $(ITERS)) \
	$(if $(filter 1 yes true,$(UNVERIFIED)),--unverified) $(if $(filter 1 yes true,$(FORCE)),--force) $(SET_OPTION) \
	$(if $(filter 1 yes true,$(VERBOSE)),--verbose)
FOLD_OPTION = $(if $(FOLD),--fold $(FOLD))
SPLIT_OPTION = $(if $(SPLIT),--split "$$SPLIT")
BASELINE_OPTIONS = $(OWN_SCENE_OPTION) --out "$$OUT" $(if $(filter 1 yes true,$(AUDIT)),--audit) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(if $(METHOD),--method $(METHOD)) \
	$(DATA_OPTION) $(if $(filter 1 yes true,$(UNVERIFIED)),--unverified) $(if $(filter 1 yes true,$(FORCE)),--force)
# of commands whose default is not the Makefile's
GIVEN_PROTOCOL = $(if $(SPLIT)$(filter command environment,$(word 1,$(origin PROTOCOL))),--protocol $(PROTOCOL))
DATA_OPTION = $(if $(DATA),--data "$$DATA")
PREDATA_OPTION = $(if $(PREDATA),--predata "$$PREDATA")
SET_OPTION = $(if $(SET),--set "$$SET")

# of an own scene; with "=", because lists may begin with a negative number
SCENE_OPTIONS = $(if $(GT),--labels "$$GT") $(if $(GIVEN_NAME),--name "$$NAME") $(if $(GIVEN_OUT),--out "$$OUT") \
	$(if $(CUBE_KEY),--cube-key "$$CUBE_KEY") $(if $(GT_KEY),--labels-key "$$GT_KEY") \
	$(if $(UNLABELLED),--unlabelled="$$UNLABELLED") $(if $(IGNORE),--ignore="$$IGNORE") \
	$(if $(DROP_BANDS),--drop-bands="$$DROP_BANDS") $(if $(filter 1 yes true,$(FORCE)),--force)

# where records are: the results folder, if there is one, and what is kept
FIND_RECORDS = found=; [ ! -e "$$OUT" ] || found=1;
RECORDS = $${found:+"$$OUT"} records

.PHONY: help scene demo gpu-check bench environments test test-all faults style lint format docs data diff report curves export record tables clean env-shared env-shared-era env-matrix env-docs env-curves env-fuzz matrix slurm-check docker-check docker-lock

help: ## show this list
	@echo "Usage: make TARGET [VARIABLE=value ...]"; echo
	@grep -hE '^[a-z%<>-]+:.*##|^## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/##/' | \
		awk -F '## ' '/^## /{printf "  %-36s %s\n", $$2, $$3; next} {printf "  %-36s %s\n", $$1, $$2}'
	@echo
	@echo "Papers: $(PAPERS)"
	@$(foreach paper,$(PAPERS),echo "Configurations of $(paper): $(call configurations,$(paper))";)
	@echo "Variables of a run: PROTOCOL (paper, released, spatial-cv, disjoint, fixed-dase, ...: docs/protocols.md),"
	@echo "  FOLD (of spatial-cv: that one alone), SPLIT=file[,file] (an own split), SEED, SEEDS=\"1 2 3\", DATA (folders), DEVICE (auto, cpu, cuda),"
	@echo "  ITERS, UNVERIFIED=1 (accept files that are not the catalogue's), OUT (results folder), FORCE=1, SET=\"key=value ...\","
	@echo "  VARIANT (modern; era: the stack of the paper's time), MODEL (a2s2k: ssrn, resnet, pyresnet, contextualnet)"
	@echo "  VERBOSE=1 (the log of the training on the console, too)"
	@echo "  PREDATA (da-imrn, PROTOCOL=released: folder of the partitions that the authors shipped)"
	@echo "  METHOD (of reference and baselines: svm, rf, lr, 1nn, svm-5x5, rf-5x5, lr-5x5, 1nn-5x5, 1nn-position; default: all), AUDIT=1 (of these two)"
	@echo "  SCENE=path/to/name.toml (a scene of your own, as make scene describes it: reproduce-<paper>-<name>, baselines-<paper>-<name>,"
	@echo "  reference-<name>, audit-<paper>, docker-run-<paper>-<name>)"
	@echo "Variables of scene: CUBE, GT (labels), NAME, OUT (folder; default: the cube's), CUBE_KEY, GT_KEY (arrays in the files), UNLABELLED, IGNORE,"
	@echo "  DROP_BANDS (lists), FORCE=1: .venvs/shared-modern/bin/python -m shared_data describe --help explains them"
	@echo "Variables of matrix: PAPERS, SCENES, EXPERIMENTS, PROTOCOLS, SEEDS (lists), JOBS (at once), CORES (each), DRY=1, STALE=redo,"
	@echo "  PROFILE (local, slurm, kubernetes, or a folder), RUNNER (venv, docker, podman, apptainer)"

## reproduce-<paper>-<configuration> ## train, evaluate, draw maps and compare, e.g. reproduce-ssdgl-pavia
## predict-<paper>-<scene> ## classify a scene with the model of a run: WEIGHTS=<run>, or another file of weights (also MODEL=<path>); PROBABILITIES=1: of all classes; TILE=256 (ssdgl, rssgl; default: as memory asks)
## predict-<paper> ## classify an image of your own, labelled or not: SCENE=image.hdr WEIGHTS=<run>
## data-<scene> ## fetch and verify one scene, e.g. data-pavia
## docker-<paper> ## build its image, VARIANT=modern|era|cpu|cpu-era, TOOL=docker|podman|buildah, e.g. docker-a2s2k VARIANT=cpu
## docker-run-<paper>-<configuration> ## reproduce in the container, e.g. docker-run-a2s2k-pavia (GPUS=all for the GPUs)
## reference-<scene> ## nine classifiers without a network under a protocol that all methods share (default: spatial-cv); METHOD="svm rf": some
## baselines-<paper>-<configuration> ## the same classifiers on the pixels of one of the paper's own protocols, e.g. baselines-ssdgl-pavia
## compare-<scene> ## every method under spatial-cv, or PROTOCOL: accuracies with intervals over fields, two at a time, classes; FIGURES=folder, FORMAT=markdown, latex, csv
## audit-<paper> ## which labels and spectra does it use? SCENE=configuration (default: synthetic) or description; every protocol, or PROTOCOL; ITERS=0: full length
## bench-<paper> ## time a training step against the literal network, and a short training

scene: env-shared ## check your own scene and describe it for runs: make scene CUBE=plot.hdr GT=labels.mat NAME=my-plot
	@[ -n "$$CUBE" ] || { echo "error: name the cube: make scene CUBE=plot.hdr GT=labels.mat NAME=my-plot" >&2; exit 2; }
	@$(SHARED) describe "$$CUBE" $(SCENE_OPTIONS)

demo: env-shared $(foreach paper,$(DEMO_PAPERS),env-$(paper)-modern) ## short runs on the generated scene under three protocols: table, picture, report (3 minutes; PAPERS=all: all five)
	@.venvs/shared-modern/bin/python -m tools.demo $(foreach paper,$(DEMO_PAPERS),--paper "$(paper)=$(FOLDER_$(paper))") \
		--device $(DEVICE) --out "$$OUT/demo" $(if $(filter 1 yes true,$(VERBOSE)),--verbose)

environments: OPTIONAL := || [ $$? -eq 3 ] # an interpreter that is not on this machine
environments: env-shared env-shared-era env-matrix env-docs env-curves $(PAPERS:%=env-%-modern) $(PAPERS:%=env-%-era) ## every environment (make -j2: two at a time)

test: environments ## the fast tests in the current stacks, and a short run of each paper in the stack of its time (minutes)
	@.ci/test

test-all: environments ## every test; stacks of the papers' time where their interpreter is found (half an hour on two cores)
	@.ci/test all

faults: environments env-fuzz ## the long tests: signals, full disks, hostile files, size ... (docs/faults.md; one to two hours)
	@PAPERS="$(if $(filter file,$(origin PAPERS)),,$(PAPERS))" .ci/faults

style: env-shared ## ruff alone (style and format): seconds; .pre-commit-config.yaml calls it
	.venvs/shared-modern/bin/ruff check .
	.venvs/shared-modern/bin/ruff format --check .

lint: style $(PAPERS:%=env-%-modern) ## ruff (style and format), mypy (types), hadolint, and the generated tables of the README files
	.venvs/shared-modern/bin/mypy
	@$(SHARED) tables --check $(DOCUMENTS)
	@$(PYTHON) docker/lock.py --check
	@if [ -x .venvs/shared-modern/bin/hadolint ]; then .venvs/shared-modern/bin/hadolint docker/*.Dockerfile; fi
	@$(foreach paper,$(PAPERS),.venvs/$(paper)-modern/bin/python -m $(FOLDER_$(paper)) tables --check &&) true

format: env-shared ## let ruff rewrite what it can
	.venvs/shared-modern/bin/ruff check --fix .
	.venvs/shared-modern/bin/ruff format .

data: env-shared ## fetch and verify every downloadable scene into shared_data/raw
	$(SHARED) fetch

present-%: env-shared FORCE_TARGET
	@$(SHARED) fetch --missing $*

reference-%: env-shared FORCE_TARGET
	@$(if $(DATA)$(HSI_DATA)$(OWN_SCENE),,$(SHARED) fetch --missing $*)
	@$(SHARED) reference $* $(GIVEN_PROTOCOL) $(BASELINE_OPTIONS) $(FOLD_OPTION) $(SPLIT_OPTION)

compare-%: env-shared FORCE_TARGET
	@$(FIND_RECORDS) $(SHARED) compare $(RECORDS) --scene $* $(GIVEN_PROTOCOL) $(if $(FORMAT),--format $(FORMAT)) $(if $(FIGURES),--figures "$$FIGURES" $(DATA_OPTION))

data-%: env-shared
	$(SHARED) fetch $*

# <verb>-<paper>-<configuration>, as another target of one paper
of_paper = paper=$$(echo '$*' | sed -E 's/^(da-imrn|[a-z0-9]+)-.*$$/\1/'); \
	case " $(PAPERS) " in *" $$paper "*) ;; *) \
		echo "error: '$@': there is no paper '$$paper'; there are: $(PAPERS). Write $(1)-<paper>-<configuration>." >&2; exit 2;; \
	esac; $(MAKE) --no-print-directory $(2)-$$paper CONFIGURATION="$$(echo '$*' | sed -E "s/^$$paper-//")"

reproduce-%: FORCE_TARGET
	@$(call of_paper,reproduce,run)

baselines-%: FORCE_TARGET
	@$(call of_paper,baselines,fit-baselines)

predict-%: FORCE_TARGET
	@$(call of_paper,predict,classify)

# SCENE is a description, or an image that is described first; without a name in the target the scene has that of the file
classify-%: env-%-$(STACK) $(if $(SCENE),env-shared) FORCE_TARGET
	@[ -n "$$WEIGHTS" ] || { echo "error: name the run or its model: make predict-$*-<scene> WEIGHTS=<run>" >&2; exit 2; }
	@$(call fetch_first,$*,$(CONFIGURATION))
	@set -e; name='$(filter-out $*,$(CONFIGURATION))$(if $(filter-out $*,$(MODEL)),-$(MODEL))'; scene="$$SCENE"; file=$${scene##*/}; \
	case "$$scene" in \
		'') [ -n "$$name" ] || { echo "error: name the scene: make predict-$*-<scene>, or SCENE=image.hdr" >&2; exit 2; };; \
		*.toml) name=$${file%.toml};; \
		*) name=$${name:-$$(printf %s "$${file%.*}" | tr -c 'A-Za-z0-9_-' '-')}; \
			$(SHARED) describe "$$scene" --name "$$name" --out "$$OUT/scenes" --force; scene="$$OUT/scenes/$$name.toml";; \
	esac; \
	.venvs/$*-$(STACK)/bin/python -m $(notdir $(FOLDER_$*)) predict "$$name" --weights "$$WEIGHTS" \
		$${scene:+--scene "$$scene"} $(GIVEN_PROTOCOL) $(if $(SEED),--seed $(SEED)) --device $(DEVICE) --out "$$OUT" $(DATA_OPTION) \
		$(if $(filter 1 yes true,$(UNVERIFIED)),--unverified) $(SET_OPTION) $(PREDATA_OPTION) \
		$(if $(TILE),--tile $(TILE)) $(if $(filter 1 yes true,$(PROBABILITIES)),--probabilities)

run-%: env-%-$(STACK) FORCE_TARGET
	@$(call fetch_first,$*,$(CONFIGURATION))
	@.venvs/$*-$(STACK)/bin/python -m $(notdir $(FOLDER_$*)) reproduce $(CONFIGURATION)$(if $(filter-out $*,$(MODEL)),-$(MODEL)) $(RUN_OPTIONS)

fit-baselines-%: env-%-$(STACK) FORCE_TARGET
	@$(call fetch_first,$*,$(CONFIGURATION))
	@.venvs/$*-$(STACK)/bin/python -m $(notdir $(FOLDER_$*)) baselines $(CONFIGURATION)$(if $(filter-out $*,$(MODEL)),-$(MODEL)) \
		--protocol $(PROTOCOL) $(PREDATA_OPTION) $(BASELINE_OPTIONS)

# an own scene has the name of its description
AUDITED = $(if $(OWN_SCENE),"$$(basename "$$SCENE" .toml)","$${SCENE:-synthetic}")

audit-%: env-%-$(STACK) FORCE_TARGET
	@$(call fetch_first,$*,$(SCENE))
	@.venvs/$*-$(STACK)/bin/python -m $(notdir $(FOLDER_$*)) audit $(AUDITED)$(if $(MODEL),-$(MODEL)) --out "$$OUT" \
		$(OWN_SCENE_OPTION) \
		$(if $(filter file,$(origin DEVICE)),,--device $(DEVICE)) \
		$(GIVEN_PROTOCOL) $(if $(SEED),--seed $(SEED)) \
		$(DATA_OPTION) $(if $(ITERS),--iters $(ITERS)) \
		$(if $(filter 1 yes true,$(UNVERIFIED)),--unverified) $(SET_OPTION) $(PREDATA_OPTION) \
		$(FOLD_OPTION) $(SPLIT_OPTION)

# the lines of the table are the rows that every benchmark prints
bench: ## one table of all papers: a training step of the literal network and of ours: OUT/bench.md
	@set -e; mkdir -p "$$OUT"; made=$$(mktemp -d "$$OUT/.bench.XXXXXX"); trap 'rm -rf "$$made"' EXIT; \
	printf '%s\n' '| network | literal step | our step | ratio | GFLOP of the literal step | our share of the peak |' \
		'|---|---|---|---|---|---|' >"$$made/bench.md"; \
	for paper in $(PAPERS); do \
		{ $(MAKE) --no-print-directory bench-$$paper || : >"$$made/failed"; } | tee "$$made/output" >&2; \
		if [ -e "$$made/failed" ] || ! grep '^|' "$$made/output" >>"$$made/bench.md"; then \
			echo "error: the benchmark of $$paper failed or printed no row, so $$OUT/bench.md is not written" >&2; exit 1; \
		fi; \
	done; \
	mv "$$made/bench.md" "$$OUT/bench.md"; cat "$$OUT/bench.md"

bench-da-imrn: env-da-imrn-era # it compares both stacks

bench-%: env-%-$(STACK) FORCE_TARGET
	@.venvs/$*-$(STACK)/bin/python -m $(notdir $(FOLDER_$*)) bench --device $(DEVICE)

gpu-check: $(if $(filter file,$(origin PYTHON_GPU)),env-rssgl-modern) ## check the papers on PyTorch on a GPU (8 minutes): OUT/gpu-check.md; DEVICE=cpu: tiny sizes; PYTHON_GPU: an interpreter with PyTorch
	@"$(PYTHON_GPU)" shared_data/tools/gpu_check/check.py --device $(DEVICE) --out "$$OUT" $(if $(filter 1 yes true,$(QUICK)),--quick)

diff: env-shared ## every run and kept record against the published numbers (FORMAT=text, markdown, latex, csv, json; STRICT=1: fail where a row without doubts differs below)
	@$(FIND_RECORDS) $(SHARED) diff $(RECORDS) $(if $(filter 1 yes true,$(STRICT)),--strict) $(if $(FORMAT),--format $(FORMAT))

report: env-shared ## one page about every run and kept record: OUT/report/report.html (REPORT=other folder)
	@$(FIND_RECORDS) $(SHARED) report $(RECORDS) --out "$${REPORT:-$$OUT/report}" $(DATA_OPTION)

curves: env-curves ## the training curves of a run in TensorBoard, for a browser on this machine: make curves RUN=<run> (default: every run in OUT)
	@exec .venvs/curves/bin/tensorboard --logdir "$${RUN:-$$OUT}"

matrix: env-matrix $(if $(filter venv,$(RUNNER)),$(foreach paper,$(PAPERS),$(if $(FOLDER_$(paper)),env-$(paper)-$(STACK)))) ## papers × scenes × protocols × seeds through Snakemake; DRY=1: the plan alone (shared_data/tools/matrix/README.md)
	@[ -x .venvs/matrix/bin/python ] || { echo "error: make matrix needs a Python 3.11 to 3.13." >&2; exit 1; }
	@exec .venvs/matrix/bin/python -m tools.matrix --protocols $(PROTOCOLS) --scenes $(SCENES) --experiments $(EXPERIMENTS) \
		$(foreach paper,$(PAPERS),--paper "$(paper)=$(FOLDER_$(paper)):$(subst $(space),$(comma),$(SOURCES_$(paper)))") \
		--profile "$${PROFILE:-local}" --jobs $(or $(JOBS),1) --stale $(or $(STALE),keep) \
		--runner $(RUNNER) --variant $(if $(filter venv,$(RUNNER)),$(STACK),$(VARIANT)) $(if $(IMAGE),--image "$$IMAGE") $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(CORES),--cores $(CORES)) $(if $(filter 1 yes true,$(DRY)),--dry) \
		--device $(DEVICE) --out "$$OUT" $(DATA_OPTION) $(if $(ITERS),--iters $(ITERS)) \
		$(if $(filter 1 yes true,$(UNVERIFIED)),--unverified) $(SET_OPTION)

slurm-check: ## a matrix of 15 runs on a real Slurm of one node that dies twice, compared with the same runs made locally (root)
	$(PYTHON) shared_data/tools/matrix/slurm_check.py

export: env-shared ## class map and accuracies of a run for other programs: make export RUN=<run or prediction> (FORMAT="geotiff envi csv", EXPORT=folder)
	@$(SHARED) export "$$RUN" $(if $(FORMAT),--format $(FORMAT)) $(if $(EXPORT),--out "$$EXPORT")

record: env-shared ## keep the record of a finished run: make record RUN=<run directory> (REPLACE=1: in place of another result)
	@$(SHARED) record "$$RUN" $(if $(filter 1 yes true,$(REPLACE)),--replace)

docs: env-docs ## the documentation site, links checked: OUT/site/index.html
	@NO_MKDOCS_2_WARNING=1 .venvs/docs/bin/mkdocs build --strict --site-dir "$$OUT/site" # --quiet would hide the warnings from --strict

tables: env-shared $(PAPERS:%=env-%-modern) ## write the tables and the picture of the README files from records/ and the papers' decisions
	@$(SHARED) tables $(DOCUMENTS)
	@$(foreach paper,$(PAPERS),.venvs/$(paper)-modern/bin/python -m $(FOLDER_$(paper)) tables &&) true

env-shared:
	@$(MAKE_ENV) shared-modern shared_data/requirements/modern.txt --sources shared_data

env-matrix: # Snakemake needs Python 3.11; without one nothing is made, and its tests are skipped
	@for version in 3.11 3.12 3.13; do \
		$(MAKE_ENV) matrix shared_data/requirements/matrix.txt --python $$version --sources shared_data; code=$$?; \
		[ $$code -eq 3 ] || exit $$code; done

env-docs:
	@$(MAKE_ENV) docs shared_data/requirements/docs.txt

env-curves:
	@$(MAKE_ENV) curves shared_data/requirements/curves.txt

env-fuzz: # atheris has no wheels for other interpreters
	@$(MAKE_ENV) fuzz shared_data/requirements/fuzz.txt --python 3.11 --sources shared_data || [ $$? -eq 3 ]

env-shared-era:
	@$(MAKE_ENV) shared-era shared_data/requirements/era.txt --python 3.6 --sources shared_data || [ $$? -eq 3 ]

env-%: env-%-$(STACK) FORCE_TARGET
	@:

env-%-era: FORCE_TARGET
	@$(MAKE_ENV) $*-era $(FOLDER_$*)/requirements/era.txt --python $(ERA_PYTHON_$*) --sources $(SOURCES_$*) $(OPTIONAL)

env-%-modern: FORCE_TARGET
	@$(MAKE_ENV) $*-modern $(FOLDER_$*)/requirements/modern.txt --sources $(SOURCES_$*)

docker-check: ## build the images without CUDA for real, without a daemon, and try them (root, buildah, debootstrap; one to two hours)
	$(PYTHON) docker/check.py

docker-lock: ## write the hash locks in docker/locks from the requirement files (needs uv)
	$(PYTHON) docker/lock.py

docker-run-%: FORCE_TARGET
	@$(call of_paper,docker-run,contain)

contain-%: FORCE_TARGET
	@[ -z "$$SPLIT$$PREDATA" ] || { exec >&2; \
		echo "error: no container gets the files of SPLIT or PREDATA; use make reproduce-$*-$(CONFIGURATION)."; exit 2; }
	@set -e; mkdir -p "$$OUT"; \
	data=$$(cd "$${DATA:-shared_data/raw}" && pwd); out=$$(cd "$$OUT" && pwd); \
	$(if $(OWN_SCENE),scene=$$(cd "$$(dirname "$$SCENE")" && pwd);) \
	$(or $(TOOL),docker) run --rm --init --network none --read-only --tmpfs /tmp --user "$$(id -u):$$(id -g)" \
		$(if $(GPUS),--gpus $(GPUS)) -v "$$data:/data:ro" -v "$$out:/results" \
		$(if $(OWN_SCENE),-v "$$scene:/scene:ro") \
		hsi/$*:$(VARIANT) reproduce $(CONFIGURATION)$(if $(filter-out $*,$(MODEL)),-$(MODEL)) \
		$(if $(OWN_SCENE),--scene "/scene/$$(basename "$$SCENE")") $(OPTIONS_WITHOUT_FILES)

docker-%: FORCE_TARGET
	@$(PYTHON) docker/build.py $* --variant $(VARIANT)

clean: ## remove environments and caches (results, records and shared_data/raw stay)
	rm -rf .venvs .ruff_cache .mypy_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: FORCE_TARGET
FORCE_TARGET:
