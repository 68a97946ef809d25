#!/usr/bin/env bash
# Runs the benchmarks; they make their own log files and want a quiet machine.
set -euo pipefail
. "$(dirname "$0")/tools.sh"
cd "$root"
cd bench
echo '== the filter and the counter beside two tailers and regexp'
go run ./cmd/scanbench -strict
echo '== a whole fleet: latency beside tail -F, lines a second'
go run ./cmd/fleetbench
echo '== the library beside five others: what a log call costs'
go run ./cmd/libbench -strict
echo '== what followers of a rotated file lose: Spile beside three others'
[ -x /usr/sbin/rsyslogd ] || echo 'to have rsyslog in it: apt-get install -y --no-install-recommends rsyslog'
go run ./cmd/rotatebench -strict
