#!/bin/sh
# Forty seconds: an agent whose modules are replaced while it is asked, and an snmpd that is started again.
#
# Run it as it is, or record it: asciinema rec -c tools/load/recording/live.sh live.cast
#                            or: script -c tools/load/recording/live.sh live.typescript
# It needs release builds (sagentd, swapctl, the modules: `cargo xtask bench live` and `cargo xtask package`
# make them), net-snmp's snmpd, snmpget and snmpusm, and changes nothing outside of a temporary directory.
set -eu

built=${CARGO_TARGET_DIR:-target}/release
work=$(mktemp -d)
port=$((20000 + $$ % 10000))
agent=
snmpd=
asker=

finish() {
    for process in $asker $agent $snmpd; do
        kill "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; sleep 1; }
run() { printf '\033[36m$ %s\033[0m\n' "$*"; "$@"; }

# One line for every second: how many of the GETs were answered, and sysUpTime.
keep_asking() {
    while :; do
        good=0
        lost=0
        end=$(($(date +%s) + 1))
        while [ "$(date +%s)" -lt "$end" ]; do
            if time=$(snmpget -v3 -l authPriv -u manager -a SHA -A "$pass" -x AES -X "$pass" \
                -r 0 -t 0.3 -Oqvt "127.0.0.1:$port" .1.3.6.1.2.1.1.3.0 2>/dev/null); then
                good=$((good + 1))
            else
                lost=$((lost + 1))
            fi
        done
        printf '   %3d answered, %d lost, sysUpTime %s\n' "$good" "$lost" "${time:-?}"
    done
}
pass='a passphrase to show'

cat >"$work/sagentd.toml" <<END
listen = ["udp:127.0.0.1:$port"]
state-directory = "$work/state"
control = "$work/control"
[[user]]
name = "manager"
auth = "SHA"
auth-passphrase = "$pass"
priv = "AES"
priv-passphrase = "$pass"
END
mkdir "$work/state"

say 'An operator makes keys, and an agent that trusts them.'
"$built/swapctl" keygen "$work/root" >/dev/null
"$built/swapctl" keygen "$work/maker" >/dev/null
