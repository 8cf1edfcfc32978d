# SPDX-License-Identifier: Apache-2.0
# broker.sh: berth-agent's broker with tests/bench/testfront as its front. Sourced after lib.sh.
#
#   broker_start [COMMAND...] kubelet root $kubelet, run directory $run; waits for the front. Run by a command that enters
#                             namespaces: --host-proc /proc. $broker_under: a supervisor before it
#   tell COMMAND...           the front's answer to one command, without its tag
#   children                  pids of the broker's children but the front

kubelet=
run=
broker_under=()

broker_setup() {
	kubelet=$work/kubelet
	run=$work/run
	install -D -t "$bin" "$O/bin/berth-agent" "$O/tests/bench/testfront"
	mkdir -p "$kubelet/pods" "$kubelet/plugins_registry" "$work/pool"
	chmod 0750 "$kubelet"
	trap 'umount -lR "$kubelet" "$work/pool" 2>/dev/null; cleanup' EXIT
}
broker_start() { # what runs it (nsenter ...), nothing for --host self
	local host=(--host self)
	[ $# -eq 0 ] || host=(--host-proc /proc)
	"$@" "${broker_under[@]}" "$bin/berth-agent" "${host[@]}" --node n --kubelet-root "$kubelet" --run-dir "$run" --pool "$work/pool" --front "$bin/testfront" \
		--nfs-worker "$bin/berth-nfs" ${idle_ms:+--idle-ms "$idle_ms"} >>"$work/agent.log" 2>&1 &
	broker=$!
	daemons+=("$broker")
	if [ $# -gt 0 ] || [ ${#broker_under[@]} -gt 0 ]; then
		wait_until 20 pgrep -f "^$bin/berth-agent "
		broker=$(pgrep -o -f "^$bin/berth-agent ")
		daemons+=("$broker")
	fi
	wait_until 20 front_pid
}
broker_stop() {
	signal TERM "$broker"
	wait "$broker"
}
# The front that runs now has said so.
front_pid() {
	local pid
	pid=$(pgrep -x -P "$broker" testfront) && [ -e "$run/front/out" ] && grep -q "^- started " "$run/front/out" && echo "$pid"
}
children() {
	pgrep -P "$broker" | grep -vx "$(pgrep -x -P "$broker" testfront)"
}
told() { # tag
	grep -q "^$1 " "$run/front/out"
}
tell() { # command...
	tag=$(($(cat "$work/tag" 2>/dev/null || echo 0) + 1))
	echo "$tag" >"$work/tag"
	# Opened both ways: without a front it would wait for one.
	echo "c$tag $*" 1<>"$run/front/in"
	wait_until "${tell_seconds:-30}" told "c$tag" || { echo "no answer"; return; }
	sed -n "s/^c$tag //p" "$run/front/out"
}
pod_dir() { # pod, volume → the target, with its parent made
	mkdir -p "$kubelet/pods/$1/volumes/kubernetes.io~csi/$2"
	echo "$kubelet/pods/$1/volumes/kubernetes.io~csi/$2/mount"
}
mounts_at() { # path, pid → how many
	awk -v t="$1" '$5 == t' "/proc/${2:-self}/mountinfo" | wc -l
}
status_of() { # pid, field
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}
