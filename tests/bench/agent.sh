# SPDX-License-Identifier: Apache-2.0
# agent.sh: the agent's figures: hostPath volumes on the host's kernel, the real broker, front and mount children, a kubelet
# that is tests/bench/node. Sourced by run after lib.sh.
R=$work/kubelet
pool=$work/pool
driver=hostpath.berth.dev
csi=$R/plugins/$driver/csi.sock
reg=$R/plugins_registry/$driver-reg.sock

agent_setup() {
	mkdir -p "$R" "$pool/.berth" "$pool/a"
	mount -t tmpfs kubelet "$R"
	mount --make-shared "$R"
	mkdir -p "$R/plugins_registry" "$R/plugins" "$R/pods"
	echo '{"version":1,"id":"6e0e8bb2-8a8c-4a4e-9d53-6b9a3a5f0b11"}' >"$pool/.berth/identity.json"
	install -D -t "$bin" "$O/bin/berth-agent" "$O/bin/berth-front"
	printf '%s\n' 'listen: "127.0.0.1:9808"' "agent:" "  pools: [{name: fast, path: $pool}]" >"$work/config.yaml"
	chmod 0644 "$work/config.yaml"
	trap 'umount -lR "$R" 2>/dev/null; cleanup' EXIT
	api_start
	curl -fsS -o /dev/null -X POST -H 'Content-Type: application/json' "$api_url/api/v1/nodes" \
		--data '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}'
}
# The environment is that of ${under[@]}: private libraries. The time until it was registered goes to $work/start.json.
agent_run() {
	rm -f "$work/start.json"
	"${under[@]}" "$bench/node" start "$reg" "$work/start.json" "$bin/berth-agent" --host self --node n1 --config "$work/config.yaml" \
		--kubeconfig "$daemon_kubeconfig" --kubelet-root "$R" --run-dir "$work/run" --pool "$pool" >>"$work/agent.log" 2>&1 &
	agent=$!
	daemons+=("$agent")
	wait_until 30 test -s "$work/start.json" || { diag "$(tail "$work/agent.log")"; exit 1; }
}
agent_stop() {
	kill "$agent"
	wait "$agent"
	rm -f "$reg" "$csi"
}
front_pid() { pgrep -x -P "$agent" berth-front; }
agent_pids() { echo "$agent"; pgrep -P "$agent"; }
node() { "$bench/node" "$1" "$R" "${@:2}"; }
median() { sort -n | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }

# PSS with private library copies is what the first pod of a node costs.
agent_memory() { # when, limit of Anonymous in MiB, limit of PSS or null
	memory_figures "$1" "$2" "$3"
}
# The agent's part of memory_of: broker, front, children.
memory_pids() { agent_pids; }

calls_of_child() { # publishes → system calls a publish in the mount children
	local child tracers=() list=() n
	node parents s "$1"
	for child in $(pgrep -P "$agent" | grep -vx "$(front_pid)"); do
		strace -qq -o "$work/strace.$child" -p "$child" &
		tracers+=("$!")
		list+=("$child")
	done
	for child in "${list[@]}"; do wait_until 10 grep -q "^TracerPid:[[:space:]]*[1-9]" "/proc/$child/status"; done
	node publish s "$1" "$csi" fast >/dev/null
	kill -INT "${tracers[@]}"
	wait "${tracers[@]}"
	n=$(cat "$work"/strace.* | grep -c '^[a-z]')
	node unpublish s "$1" "$csi" >/dev/null
	jq -n "$n / $1 | . * 10 | round / 10"
}
times_of() { # what, p50 and p99 of five runs of 1,000 calls: medians
	local run got p50=() p99=() probe50=() probe99=()
	for run in 1 2 3 4 5; do
		got=$(node probe "r$run" 1000 "$csi")
		probe50+=("$(of "$got" .p50_ms)")
		probe99+=("$(of "$got" .p99_ms)")
		got=$(node "$1" "r$run" 1000 "$csi" fast)
		p50+=("$(of "$got" .p50_ms)")
		p99+=("$(of "$got" .p99_ms)")
		node unpublish "r$run" 1000 "$csi" >/dev/null
	done
	figure "NodePublish p50, $2" "$(printf '%s\n' "${p50[@]}" | median)" ms 1
	figure "NodePublish p99, $2" "$(printf '%s\n' "${p99[@]}" | median)" ms 1
	figure "Probe p50, one connection kept: gRPC without a mount" "$(printf '%s\n' "${probe50[@]}" | median)" ms
	figure "Probe p99, one connection kept" "$(printf '%s\n' "${probe99[@]}" | median)" ms
}
# In turns, so that what else the machine does meets both.
beside_binds() {
	local run got each grpc=() four=() sixteen=() bare=()
	node parents g 5000
	node parents b 5000
	for run in 1 2 3; do
		bare+=("$(of "$(node bind b 5000 "$pool/a")" .each_us)")
		node unbind b 5000
		grpc+=("$(of "$(node publish-kept g 5000 "$csi" fast)" .each_us)")
		node unpublish g 5000 "$csi" >/dev/null
		for each in four=4 sixteen=16; do
			local -n to=${each%=*}
			to+=("$(of "$(node publish-together g 5000 "$csi" fast "${each#*=}")" .each_us)")
			node unpublish g 5000 "$csi" >/dev/null
		done
	done
	got=$(printf '%s\n' "${bare[@]}" | median)
	figure "a bare bind with nosuid and nodev, of 5,000" "$got" us
	figure "a publish of 5,000, one at a time (at most 4 times)" "$(printf '%s\n' "${grpc[@]}" | median)" us "$(jq -n "$got * 4")"
	figure "a publish of 5,000, four at a time (at most 4 times)" "$(printf '%s\n' "${four[@]}" | median)" us "$(jq -n "$got * 4")"
	figure "a publish of 5,000, sixteen at a time (at most 4 times)" "$(printf '%s\n' "${sixteen[@]}" | median)" us "$(jq -n "$got * 4")"
}
# Five starts: what they took, and what of it was work, not waiting for a processor.
starts() { # what
	local run ms=() work_ms=()
	for run in 1 2 3 4 5; do
		agent_run
		ms+=("$(jq .ms "$work/start.json")")
		work_ms+=("$(cat "/proc/$agent/schedstat" "/proc/$(front_pid)/schedstat" | awk '{ n += $1 } END { print n / 1000000 }')")
		agent_stop
	done
	figure "start to registered, $1" "$(printf '%s\n' "${ms[@]}" | median)" ms 100
	figure "of it processor time" "$(printf '%s\n' "${work_ms[@]}" | median)" ms
}
part_agent() {
	local run got
	# As on a quiet machine: what else runs waits. Where that is not allowed the load of others is in the figures.
	chrt --fifo -p 1 $$ >/dev/null 2>&1 || diag "not in the real-time class: the machine's load is in these figures"
	agent_setup
	starts "libraries shared"
	private_libraries "$bin/berth-agent" "$bin/berth-front"
	starts "private library copies"
	agent_run
	sleep 35 # a mount child without work ends after 30 s
	agent_memory "agent idle" 5 18
	node parents v 110
	node publish v 110 "$csi" fast >/dev/null
	sleep 2 # the table of mounts is read, publications are kept
	agent_memory "agent, 110 volumes" 6 18
	node unpublish v 110 "$csi" >/dev/null
	agent_stop

	under=()
	agent_run
	for run in 1 2 3 4 5; do node parents "r$run" 1000; done
	node publish r1 10 "$csi" fast >/dev/null
	node unpublish r1 10 "$csi" >/dev/null
	times_of publish "a connection for each call"
	times_of publish-kept "one connection kept"
	beside_binds
	figure "system calls of the mount child a publish" "$(calls_of_child 100)" calls 16
	node parents w 5000
	got=$(node bind w 5000 "$pool/a" 500 "$(front_pid)")
	figure "cores of the front while 5,000 mounts are made in 10 s" "$(of "$got" .cores)" cores 0.1
	node unbind w 5000
	figure "load of the machine meanwhile (of $(nproc) processors)" "$(cut -d' ' -f1 /proc/loadavg)" load
}
