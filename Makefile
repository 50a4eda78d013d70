# Les verbes du projet ; « make » seul les liste.
PYTHON ?= python3
BIN := .venv/bin
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.DEFAULT_GOAL := help
.PHONY: help install train serve test check bench

help: ## liste les verbes
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 ou plus récent est attendu, " + sys.version.split()[0] + " trouvé.") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/installed-test: requirements-test.lock .venv/installed
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-test.lock
	touch $@

# Les bibliothèques des outils d'annotation demandent d'autres versions que les nôtres : elles ont leur environnement.
.venv-tools/installed: tests/tools.lock .venv/installed
	test -x .venv-tools/bin/python || $(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r tests/tools.lock
	touch $@

install: .venv/installed ## installe tout dans .venv, versions figées

train: install ## entraîne le modèle sur data/annotated (une dizaine de minutes)
	$(BIN)/vigie train

serve: install ## installe, entraîne si besoin, sert l'API et la page sur http://127.0.0.1:8000/
	$(BIN)/vigie train --if-needed
	$(BIN)/vigie serve

test: .venv/installed-test .venv-tools/installed browser ## installe, entraîne si besoin, lance tous les tests
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m pytest --cov --cov-report=term

check: .venv/installed-test ## style, types, corpus
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vigie corpus check

bench: install ## mesure le débit du modèle qui sert
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m tests.bench

# Les tests de la page veulent un vrai navigateur : installé où c'est permis, nommé sinon.
.PHONY: browser
browser:
ifeq ($(CHROMIUM),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
	  echo "Chromium manque : installez le paquet « chromium », sinon les tests de la page échoueront."; \
	fi
endif
