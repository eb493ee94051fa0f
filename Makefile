# Everything there is to do with a checkout. Set-up is part of each target.

PY := .venv/bin/python
LINTED := python/zfs_root_migrate tests overlay
# the package is tested as it lies here, not as it is installed
export PYTHONPATH := $(CURDIR)/python
# compiled once, but not beside the sources
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
unexport PYTHONDONTWRITEBYTECODE

# what the maintainer's targets run under; they need nothing but Python and git
BARE = PYTHONPATH= $$(tests/bootstrap python) -m

# tests make tens of thousands of files: those of one that passed go at once
PYTEST := $(PY) -m pytest -o tmp_path_retention_policy=failed
# over all processors
SPREAD := --numprocesses auto --dist worksteal

.PHONY: help demo test test-fast test-merge test-gentoo lint man bench \
	bench-copy guest setup setup-guest clean dist manifest release-check set-home

help:
	@echo 'make demo       migrate a running system in a throw-away virtual machine'
	@echo 'make test       all tests: the fast ones, long ones of the copy, then real boots'
	@echo '                (up to an hour)'
	@echo 'make test-fast  linters and unit tests (under two minutes)'
	@echo 'make test-merge   real Portage merges the packages into a scratch root'
	@echo 'make test-gentoo  the same with a real Gentoo repository (GENTOO_REPO=DIR)'
	@echo 'make lint       ruff and mypy'
	@echo 'make man        write manual pages and completions anew, and test them'
	@echo 'make bench      time check, the tool against the job by hand, the copy to ZFS'
	@echo 'make bench-copy the copy against rsync, as root; BENCH=--quick for a short form'
	@echo 'make guest      build the virtual machine and print where its disk is'
	@echo 'make clean      remove what the tests left in the checkout'
	@echo
	@echo 'make dist           the release tarball of the present commit, into out/'
	@echo "make manifest       put the tarball's hash into the ebuild's Manifest"
	@echo 'make release-check  is the tarball the one of the Manifest?'
	@echo 'make set-home URL=...  change where this repository lives, everywhere'
	@echo
	@echo 'Missing packages are installed by apt where make runs as root; elsewhere'
	@echo 'the line to type is printed. What is slow to build is kept in'
	@echo '$${XDG_CACHE_HOME:-~/.cache}/zfs-root-migrate.'

setup:
	@tests/bootstrap

setup-guest:
	@tests/bootstrap guest

lint: setup
	$(PY) -m ruff check $(LINTED)
	$(PY) -m mypy --config-file python/pyproject.toml python/zfs_root_migrate
	$(PY) -m mypy --config-file python/pyproject.toml -p tests.vm
	MYPYPATH=python $(PY) -m mypy --config-file python/pyproject.toml -p tests.copy
	$(PY) -m mypy --config-file python/pyproject.toml -p overlay

# from the sources beside them and from the program
man: setup
	UPDATE_MANUAL=1 $(PYTEST) -q tests/unit/test_manual.py \
		tests/unit/test_completions.py

test-fast: lint
	$(PYTEST) -q $(SPREAD) -m "not boot and not slow and not merge" tests

# real Portage and a small repository in place of Gentoo's
test-merge: setup
	GENTOO_REPO= $(PYTEST) -v -m merge tests/merge

# the same with Gentoo's own: of this machine, or GENTOO_REPO=/path/to/it
test-gentoo: setup
	@repo=$$($(PY) -m tests.merge.gentoo) && \
		GENTOO_REPO=$$repo $(PYTEST) -v -m merge tests/merge

test: test-fast test-merge setup-guest
	$(PYTEST) -q $(SPREAD) -m slow tests
	$(PY) -m tests.vm.build
	$(PYTEST) -v -m boot tests/vm/boots

# what needs no set-up comes first
demo:
	@python=$$(tests/bootstrap python) && $$python -m tests.vm.demo recorded
	@tests/bootstrap guest
	@$(PY) -m tests.vm.demo machine

# an aim that is missed fails it, and keeps nothing from being timed
bench: setup
	@status=0; $(PY) -m tests.portage.bench_check || status=$$?; \
	tests/bootstrap guest && $(PY) -m tests.vm.build >/dev/null && \
	$(PY) -m tests.vm.bench && $(PY) -m tests.vm.bench_copy && exit $$status

bench-copy: setup
	@$(PY) -m tests.copy.bench $(BENCH)

guest: setup-guest
	@$(PY) -m tests.vm.build

# of the version's tag where there is one, else of HEAD
dist:
	@$(BARE) overlay.release dist

manifest:
	@$(BARE) overlay.release manifest

release-check:
	@$(BARE) overlay.release check

set-home:
	@test -n "$(URL)" || { echo 'make set-home URL=... [MAIL=...]' >&2; exit 2; }
	@$(BARE) overlay.home '$(URL)' '$(MAIL)'

clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis
