#!/usr/bin/env bash
# Checks the Python client: format, lint, types, and its tests against a real server and a real agent. Its tools are
# installed into bin/venv, at the versions of its constraints.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/clients/python"

venv="$root/bin/venv"
stamp="$venv/installed"
if ! cmp -s constraints.txt "$stamp"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	cp constraints.txt "$stamp"
fi
"$venv/bin/ruff" format -q --check .
"$venv/bin/ruff" check -q .
"$venv/bin/mypy" --no-error-summary
"$venv/bin/pytest"
