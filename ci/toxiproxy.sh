#!/usr/bin/env bash
# Prints the path of toxiproxy, and installs it first if need be.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
toxiproxy
