#!/usr/bin/env bash
# Checks the Python client: format, lint, types, and its tests against a real server and a real agent.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/clients/python"

"$root/ci/venv.sh"
venv="$root/bin/venv"
"$venv/bin/ruff" format -q --check .
"$venv/bin/ruff" check -q .
"$venv/bin/mypy" --no-error-summary
"$venv/bin/pytest"
