#!/bin/sh
# Forty seconds: an agent whose modules are replaced while it is asked, and an snmpd that is started again.
#
# Run it as it is, or record it: asciinema rec -c tools/load/recording/live.sh live.cast
#                            or: script -c tools/load/recording/live.sh live.typescript
# It needs release builds (sagentd, swapctl, the modules: `cargo xtask bench live` and `cargo xtask package`
# make them), net-snmp's snmpd, snmpget and snmpusm, and changes nothing outside of a temporary directory.
set -eu

# Where the builds are; another profile can be named in $BUILT.
built=$(cd "${BUILT:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
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

say 'An operator makes a key, and an agent that trusts it.'
(
    cd "$work"
    "$built/swapctl" keygen root >/dev/null
    run "$built/swapctl" keygen maker
    run "$built/swapctl" trust init --root root.pub --key 'maker.pub=*' --output state/trust.json
)
"$built/sagentd" -c "$work/sagentd.toml" -q &
agent=$!
export SAGENTD_SOCKET="$work/control"
until "$built/swapctl" status >/dev/null 2>&1; do sleep 0.2; done

say 'A manager keeps asking: one line a second.'
keep_asking &
asker=$!
sleep 4

say 'Meanwhile modules are replaced: the security model by its second version, then the codec, a MIB, ciphers.'
for module in security_usm_next message_v3_rasn mib_system priv_aes auth_hmac_sha1 message_v3 security_usm; do
    package="$work/$module.smod"
    "$built/swapctl" pack "$built/deps/lib$module.so" --output "$package" >/dev/null
    "$built/swapctl" sign --key "$work/maker.key" "$package" >/dev/null
    "$built/swapctl" push --probation 1s "$package" | tail -n 2
done
sleep 2
say 'Nothing was lost, and sysUpTime went on.'
"$built/swapctl" history | tail -n 8
sleep 2
kill "$agent"
wait "$agent" 2>/dev/null || true
agent=

say 'The same manager, and snmpd, which has to be started again to change.'
mkdir "$work/kept"
cat >"$work/snmpd.conf" <<END
createUser manager SHA "$pass" AES "$pass"
rouser manager priv
END
start_snmpd() {
    SNMP_PERSISTENT_DIR="$work/kept" SNMPCONFPATH="$work" MIBS='' /usr/sbin/snmpd -f -Lf /dev/null -C \
        -c "$work/snmpd.conf" -p "$work/pid" -I -smux "udp:127.0.0.1:$port" &
    snmpd=$!
}
start_snmpd
sleep 5
run kill "$snmpd"
wait "$snmpd" 2>/dev/null || true
start_snmpd
sleep 4
say 'What was asked meanwhile is lost, sysUpTime begins again, and engineBoots has stepped.'
