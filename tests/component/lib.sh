# SPDX-License-Identifier: Apache-2.0
# lib.sh: what the component tests share: TAP, real daemons started and ended by pid, waiting, and the API by curl.
#
# A test sources it first, then calls `setup`, runs its cases and ends with `finish`:
#   . "$(dirname "$0")/lib.sh"
#   setup "$@"                      private network and mount namespace, a work directory in $work, cleanup at exit
#   nfs_start a --export /data      a real NFS server (tests/fixtures/ganesha), its address in ${nfs[a]}, tree in $work/a/tree/data
#   api_start [devapi options]      devapi; with BERTH_TLS=1 behind nghttpx: TLS and HTTP/2. BERTH_KUBECONFIG: a real API server
#   provisioner_start [YAML lines]  the real daemon
#   is "what" "$got" "$want"; ok "what" CMD…; skip "what" "why"; eventually 10 "what" CMD…
# Where BERTH_KUBECONFIG is set the test already runs inside the cluster's network namespace.

set -u
O=${O:-build}
top=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
case $O in /*) ;; *) O=$top/$O ;; esac
fixtures=$top/tests/fixtures
declare -A nfs=()
declare -a daemons=()
cases=0
failures=0

# ---- TAP -----------------------------------------------------------------------------------------
report() { # status, name
	cases=$((cases + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $cases - $2"
	else
		failures=$((failures + 1))
		echo "not ok $cases - $2"
	fi
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
ok() { # name, command...
	local name=$1 status=0
	shift
	"$@" >"$work/ok.out" 2>&1 || status=$?
	[ $status -eq 0 ] || diag "command: $*" "$(tail -n 20 "$work/ok.out")"
	report $status "$name"
}
not_ok() { # name, command that must fail...
	local name=$1
	shift
	if "$@" >"$work/ok.out" 2>&1; then
		diag "succeeded: $*" "$(tail -n 20 "$work/ok.out")"
		report 1 "$name"
	else
		report 0 "$name"
	fi
}
is() { # name, got, want
	if [ "$2" = "$3" ]; then
		report 0 "$1"
	else
		diag "got  '$2'" "want '$3'"
		report 1 "$1"
	fi
}
like() { # name, text, extended regular expression
	if [[ $2 =~ $3 ]]; then
		report 0 "$1"
	else
		diag "got  '$2'" "want something like '$3'"
		report 1 "$1"
	fi
}
skip() { # name, reason
	cases=$((cases + 1))
	echo "ok $cases - $1 # SKIP $2"
}
skip_all() { # reason
	echo "1..0 # SKIP $*"
	exit 0
}
# Like ok, repeated until it succeeds or SECONDS have passed. Waits for a state, never for a time.
eventually() { # seconds, name, command...
	local seconds=$1 name=$2
	shift 2
	if wait_until "$seconds" "$@"; then
		report 0 "$name"
	else
		diag "not within $seconds s: $*"
		report 1 "$name"
	fi
}
wait_until() { # seconds, command...
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		sleep 0.05
	done
}
finish() {
	if [ $failures -gt 0 ]; then
		for log in "$work"/*.log; do
			[ -s "$log" ] && diag "--- ${log##*/}" "$(tail -n "${BERTH_LOG_LINES:-25}" "$log")"
		done
	fi
	echo "1..$cases"
	[ $failures -eq 0 ]
	exit
}

# ---- set-up --------------------------------------------------------------------------------------
setup() {
	[ "$(id -u)" -eq 0 ] || skip_all "needs root for NFS servers and namespaces"
	if [ -z "${BERTH_INSIDE:-}" ]; then
		# All that the test starts has it in its environment.
		export BERTH_INSIDE=$$-$EPOCHREALTIME
		if [ -n "${BERTH_KUBECONFIG:-}" ]; then
			exec unshare --mount --propagation private "$0" "$@"
		fi
		exec unshare --net --mount --propagation private "$0" "$@"
	fi
	[ -n "${BERTH_KUBECONFIG:-}" ] || ip link set lo up
	work=$(mktemp -d "${BERTH_TMP:-/var/tmp}/berth-test.XXXXXX")
	chmod 0755 "$work"
	# The daemon leaves root and reads its programs again: not possible in a checkout below /root.
	bin=$work/bin
	install -D -t "$bin" "$O/bin/berth-provisioner" "$O/bin/berth-nfs"
	trap cleanup EXIT
	trap 'exit 130' INT TERM
}
cleanup() {
	trap - EXIT INT TERM
	local pid name
	for pid in "${daemons[@]}"; do signal TERM "$pid" && signal CONT "$pid"; done
	for pid in "${daemons[@]}"; do end_pid "$pid"; done
	for name in "${!nfs[@]}"; do
		"$fixtures/ganesha" thaw "$work/$name" >/dev/null 2>&1
		"$fixtures/ganesha" stop "$work/$name" >/dev/null 2>&1
	done
	if [ -n "${BERTH_KEEP:-}" ]; then
		echo "# kept $work"
	else
		rm -rf --one-file-system "$work"
	fi
}
# Only to what this test has started: the pid of one that has ended may by now be a process of another test.
signal() { # signal, pid
	is_ours "$2" && kill "-$1" "$2" 2>/dev/null
}
is_ours() { grep -qsxzF "BERTH_INSIDE=$BERTH_INSIDE" "/proc/$1/environ"; }
# Where nobody reaps it a zombie stays one for ever.
has_ended() { [ ! -e "/proc/$1" ] || grep -qs '^State:.*Z' "/proc/$1/status"; }
# SIGTERM was sent; SIGKILL after 5 s.
end_pid() {
	local i
	for i in $(seq 100); do
		is_ours "$1" || break
		sleep 0.05
	done
	signal KILL "$1"
	wait "$1" 2>/dev/null
}

# ---- servers -------------------------------------------------------------------------------------
nfs_start() { # name, ganesha options...
	local name=$1 status=0
	shift
	"$fixtures/ganesha" start "$work/$name" --owner $$ "$@" >"$work/$name.address" 2>"$work/$name.log" || status=$?
	[ $status -ne 77 ] || skip_all "$(tail -n 1 "$work/$name.log")"
	[ $status -eq 0 ] || { diag "$(cat "$work/$name.log")"; report 1 "nfs server $name starts"; finish; }
	nfs[$name]=$("$fixtures/ganesha" info "$work/$name" | sed -n 's/^address=//p')
}
nfs_do() { # verb, name, rest...
	local verb=$1 name=$2
	shift 2
	"$fixtures/ganesha" "$verb" "$work/$name" "$@" >>"$work/$name.log" 2>&1 ||
		{ diag "ganesha $verb $name: $(tail -n 5 "$work/$name.log")" && return 1; }
}
export_dir() { # server, export → the directory as the server has it
	echo "$work/$1/tree/${2#/}"
}

api_start() { # devapi options...
	if [ -n "${BERTH_KUBECONFIG:-}" ]; then
		kubeconfig=$BERTH_KUBECONFIG
		daemon_kubeconfig=${BERTH_DAEMON_KUBECONFIG:-$BERTH_KUBECONFIG}
		return
	fi
	kubeconfig=$work/kubeconfig
	daemon_kubeconfig=$kubeconfig
	"$O/bin/devapi" --listen "127.0.0.1:${api_port:-0}" --port-file "$work/port" --kubeconfig-out "$kubeconfig" "$@" \
		>>"$work/devapi.log" 2>&1 &
	api_pid=$!
	daemons+=("$api_pid")
	# It writes the kubeconfig first, then the port.
	wait_until 10 test -s "$work/port" || { diag "$(cat "$work/devapi.log")"; report 1 "devapi starts"; finish; }
	chmod 0644 "$kubeconfig"
	api_url=http://127.0.0.1:$(cat "$work/port")
	curl -fsS -o /dev/null -X POST -H 'Content-Type: application/json' "$api_url/api/v1/namespaces" \
		--data '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"'"${namespace:-berth-system}"'"}}'
	[ -z "${BERTH_TLS:-}" ] || tls_start
}
# nghttpx before devapi: the daemon then talks TLS and HTTP/2, the test goes on in plain text.
tls_start() {
	command -v nghttpx >/dev/null || skip_all "nghttpx is not installed"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=devapi \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
	nghttpx --frontend="127.0.0.1,6443" --backend="127.0.0.1,$(cat "$work/port")" --workers=1 --no-ocsp \
		--backend-read-timeout=1h --frontend-http2-read-timeout=1h --stream-read-timeout=0 --stream-write-timeout=0 \
		--pid-file="$work/nghttpx.pid" --errorlog-file="$work/nghttpx.log" "$work/tls.key" "$work/tls.crt" &
	daemons+=("$!")
	daemon_kubeconfig=$work/tls.kubeconfig
	cat >"$daemon_kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		current-context: tls
		contexts: [{name: tls, context: {cluster: tls, user: tls}}]
		clusters: [{name: tls, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $work/tls.crt}}]
		users: [{name: tls, user: {token: test}}]
	END
	chmod 0644 "$daemon_kubeconfig"
	wait_until 10 curl -fsS --cacert "$work/tls.crt" https://127.0.0.1:6443/version
}

provisioner_config() { # YAML lines...
	{
		echo 'listen: 127.0.0.1:9808'
		echo 'log: {level: debug}'
		local line
		for line; do echo "$line"; done
	} >"$work/config.yaml"
}
provisioner_start() { # YAML lines...
	provisioner_config "$@"
	provisioner_run
}
# ${under[@]}: what to run it under, such as the fault supervisor.
provisioner_run() {
	POD_NAMESPACE=${namespace:-berth-system} "${under[@]}" "$bin/berth-provisioner" --config "$work/config.yaml" \
		--kubeconfig "$daemon_kubeconfig" >>"$work/provisioner.log" 2>&1 &
	provisioner_pid=$!
	daemons+=("$provisioner_pid")
}
declare -a under=()
provisioner_ready() { curl -fsS http://127.0.0.1:9808/readyz; }
provisioner_stop() { # signal
	signal "${1:-TERM}" "$provisioner_pid"
	wait "$provisioner_pid" 2>/dev/null
}
metric() { # name with labels as a fixed string → value
	curl -fsS http://127.0.0.1:9808/metrics | grep -F "$1" | grep -v '^#' | sed -n '1s/.* //p'
}

# ---- the API -------------------------------------------------------------------------------------
k() { kubectl --kubeconfig "$kubeconfig" --cache-dir "$work/cache" "$@"; }
# Much cheaper than kubectl; against a real API server kubectl it is.
get() { # path → JSON
	if [ -n "${api_url:-}" ]; then curl -fsS "$api_url$1"; else k get --raw "$1"; fi
}
field() { # path, jq filter
	get "$1" 2>/dev/null | jq -r "$2 // empty"
}
# Debian 12's kubectl does not know --subresource.
patch_status() { # path of an object of the cluster, merge patch
	local kind=${1%/*}
	if [ -n "${api_url:-}" ]; then
		curl -fsS -o /dev/null -X PATCH -H 'Content-Type: application/merge-patch+json' --data "$2" "$api_url$1/status"
	else
		k patch "${kind##*/}" "${1##*/}" --subresource=status --type merge -p "$2" >/dev/null
	fi
}
claims=/api/v1/namespaces/default/persistentvolumeclaims
volumes=/api/v1/persistentvolumes
bvols=/apis/berth.dev/v1alpha1/berthvolumes
apply() { # YAML or JSON on standard input
	k apply --validate=false -f - >"$work/apply.out" 2>&1 || { diag "$(cat "$work/apply.out")"; return 1; }
}
class_yaml() { # name, server name (of nfs_start) or "", lines of parameters; RECLAIM_POLICY, BINDING_MODE, CLASS_LINES
	local name=$1 server=$2 line
	shift 2
	cat <<-END
		---
		apiVersion: storage.k8s.io/v1
		kind: StorageClass
		metadata: {name: $name}
		provisioner: ${PROVISIONER:-nfs.berth.dev}
		reclaimPolicy: ${RECLAIM_POLICY:-Delete}
		volumeBindingMode: ${BINDING_MODE:-Immediate}
		${CLASS_LINES:-}
		parameters:
	END
	[ -z "$server" ] || echo "  server: \"${nfs[$server]:-$server}\""
	for line; do echo "  $line"; done
}
claim_yaml() { # name, class [, size [, lines of the spec...]]
	local name=$1 class=$2 size=${3:-1Gi} line
	shift 2
	[ $# -eq 0 ] || shift
	cat <<-END
		---
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: $name, namespace: default}
		spec:
		  accessModes: [ReadWriteMany]
		  storageClassName: $class
		  resources: {requests: {storage: $size}}
	END
	for line; do echo "  $line"; done
}
phase() { # pvc|pv, name
	if [ "$1" = pvc ]; then field "$claims/$2" .status.phase; else field "$volumes/$2" .status.phase; fi
}
bound() { local c; for c; do [ "$(phase pvc "$c")" = Bound ] || return 1; done; }
volume_of() { field "$claims/$1" .spec.volumeName; }
pv_phase_is() { [ "$(phase pv "$1")" = "$2" ]; }
pv_gone() { ! get "$volumes/$1" >/dev/null 2>&1; }
bvol_gone() { ! get "$bvols/$1" >/dev/null 2>&1; }
delete_claim() { k delete pvc --wait=false "$@" >/dev/null 2>&1; }
# "type reason message" of the events on an object, oldest first.
events_of() { # kind, name [, namespace]
	get "/api/v1/namespaces/${3:-default}/events" |
		jq -r --arg k "$1" --arg n "$2" '.items[] | select(.involvedObject.kind == $k and .involvedObject.name == $n) | "\(.type) \(.reason) \(.message)"'
}
has_event() { # kind, name, extended regular expression
	events_of "$1" "$2" | grep -Eq "$3"
}
count_of() { # list path, jq filter for an item (default all)
	get "$1" | jq "[.items[] | select(${2:-true})] | length"
}
