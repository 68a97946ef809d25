#!/usr/bin/env bash
# Formats the sources: gofumpt and goimports, as .golangci.yml says.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"
"$(golangci)" fmt ./...
