#!/usr/bin/env bash
# Installs the Python client and the tools of its checks into bin/venv, at the versions of its constraints.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root/clients/python"

venv="$root/bin/venv"
if ! cmp -s constraints.txt "$venv/installed"; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	cp constraints.txt "$venv/installed"
fi
