# Les verbes du projet ; « make » seul les liste.
PYTHON ?= python3
BIN := .venv/bin
JAVA := $(shell command -v java)
POSTGRES := $(shell command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)
NGINX := $(shell PATH=$$PATH:/usr/sbin:/sbin command -v nginx)
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help install train serve spark test coverage check bench soak harness hostile

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

# PySpark n'est publié qu'en source : lui seul est construit ici (une demi-minute).
.venv/installed-spark: requirements-spark.lock .venv/installed
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: --no-binary pyspark --no-build-isolation -r requirements-spark.lock
	touch $@

install: .venv/installed ## installe tout dans .venv, versions figées

train: install ## entraîne le modèle sur data/annotated (une dizaine de minutes)
	$(BIN)/vigie train

serve: install ## installe, entraîne si besoin, sert l'API et la page sur http://127.0.0.1:8000/
	$(BIN)/vigie train --if-needed
	VIGIE_DEMO=$${VIGIE_DEMO:-true} $(BIN)/vigie serve

spark: .venv/installed-spark java ## ajoute Spark, pour « vigie score --engine spark »

test: .venv/installed-test .venv/installed-spark .venv-tools/installed browser java postgres nginx ## installe, entraîne si besoin, lance tous les tests
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

coverage: .venv/installed-test .venv/installed-spark .venv-tools/installed browser java postgres nginx ## les mêmes tests, un peu plus lents, et ce qu'ils couvrent
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --cov --cov-report=term $(ARGS)

check: .venv/installed-test .venv-tools/installed ## style, types, corpus, sûreté du code, licences, failles connues
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vigie corpus check
	$(BIN)/python -m tests.safety

# SMALL=1 : formes réduites, dans var/ ; ARGS : parties et options (« .venv/bin/python -m tests.bench --help »).
bench: install ## mesure Vigie face à d'autres outils et récrit docs/performances.md
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m tests.bench $(if $(SMALL),--small) $(ARGS)

soak: install ## mesure mémoire et débit sur des centaines de milliers de textes
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m tests.bench soak $(if $(SMALL),--small) $(ARGS)

# ARGS=--help dit tout ; ARGS=pannes ou ARGS=relecteurs : une seule épreuve ; ARGS="pannes --only muets" : une seule panne.
harness: .venv/installed-test postgres ## vingt personnes lisent cinq minutes à la fois, puis toutes les pannes, une demi-heure (ARGS : --small, --only, --seconds…)
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m tests.harness $(ARGS)

hostile: .venv/installed-test ## vingt mille appels faits pour casser l'API (ARGS : --calls, --seconds, --url)
	$(BIN)/vigie train --if-needed
	$(BIN)/python -m tests.harness.hostile $(ARGS)

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

# Les tests du poste de travail passent sur un vrai PostgreSQL, lancé dans un dossier à eux.
.PHONY: postgres
postgres:
ifeq ($(POSTGRES),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; \
	else \
	  echo "PostgreSQL manque : installez le paquet « postgresql » (15 ou plus récent), sinon les tests du poste de travail échoueront."; \
	fi
endif

# Le mandataire proposé (deploy/nginx) est essayé devant le service ; celui du paquet ne démarre pas avec la machine.
.PHONY: nginx
nginx:
ifeq ($(NGINX),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; \
	  systemctl disable --now --quiet nginx 2>/dev/null || true; \
	else \
	  echo "nginx manque : installez le paquet « nginx-light », sinon le mandataire ne sera pas essayé."; \
	fi
endif

# Spark veut Java 17 ou plus récent : installé où c'est permis, nommé sinon.
.PHONY: java
java:
ifeq ($(JAVA),)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless >/dev/null; \
	else \
	  echo "Java manque : installez le paquet « openjdk-17-jre-headless », sinon les tests de Spark ne passeront pas."; \
	fi
endif
