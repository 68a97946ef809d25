#!/usr/bin/env bash
# Says which programs the checks need and this machine lacks, installs them as root or with SPILE_INSTALL=1, or else
# prints the line to paste and ends with 2.
set -euo pipefail

# Program and Debian package of each need beyond Go, git and make. The race detector needs a C compiler.
needs='chromium:chromium curl:curl gcc:gcc haproxy:haproxy ip:iproute2 iptables:iptables logrotate:logrotate
	mkfs.ext4:e2fsprogs nginx:nginx-light node:nodejs npm:npm python3:python3
	setpriv:util-linux strace:strace unshare:util-linux zstd:zstd'

missing=()
for need in $needs; do
	PATH="$PATH:/usr/sbin:/sbin" command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
done
if [ "$(printf '#include <stdlib.h>\nint main(void){return 0;}\n' | gcc -x c -o /dev/null - 2>&1)" ]; then
	missing+=(libc6-dev)
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
[ -e /usr/share/nodejs/ws ] || missing+=(node-ws)
/usr/bin/python3 -c 'import websockets' 2>/dev/null || missing+=(python3-websockets)
[ ${#missing[@]} -eq 0 ] && exit 0

echo "missing: ${missing[*]}" >&2
line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
as=''
[ "$(id -u)" -eq 0 ] || as='sudo '
if [ "$(id -u)" -ne 0 ] && [ "${SPILE_INSTALL:-}" != 1 ]; then
	printf 'install them and run make check again:\n  sudo sh -c "%s"\n' "$line" >&2
	exit 2
fi
echo "installing: ${missing[*]}" >&2
${as}sh -c "DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; $line" >&2
