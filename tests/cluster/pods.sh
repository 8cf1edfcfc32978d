# SPDX-License-Identifier: Apache-2.0
# pods.sh: what tests with real kubelets share: Berth from its image and deploy/, workloads, what a node has mounted.
# Sourced after tests/component/lib.sh, by tests that run under `with --nodes`.
# shellcheck shell=bash disable=SC2154

cluster=$top/tests/cluster
system=berth-system

on() { "$cluster/on" "$BERTH_CLUSTER_DIR" "$@"; } # n1|n2, command...
now() { echo "${EPOCHREALTIME/./}"; }
# For people, also where only the counts are shown: `make e2e` prints the file at the end.
tell() { # text
	diag "$1"
	echo "$1" >>"$O/e2e.txt"
}
# Names a scenario; how long the last one took and what it saw is said when the next begins.
scenario() { # name, or nothing after the last one
	[ -z "${began:-}" ] || tell "$(printf '%6d ms  %s%s' $((($(now) - began) / 1000)) "$title" "${seen:+: $seen}")"
	began=$(now)
	title=${1:-}
	seen=
	[ -z "$title" ] || diag "=== $title"
}
saw() { seen+=${seen:+, }$1; } # text

# ---- Berth ---------------------------------------------------------------------------------------
load_image() { # file, node...
	local file=$1 node jobs=()
	shift
	for node; do
		cp "$file" "$BERTH_CLUSTER_DIR/nodes/$node/images/"
		on "$node" ctr -n k8s.io images import --local --snapshotter overlayfs "/run/node/images/${file##*/}" &
		jobs+=("$!")
	done
	for node in "${jobs[@]}"; do wait "$node" || return 1; done
}
# deploy/ as it is, with shorter times, a pool on n1, and both programs' logs in full.
overlay() {
	mkdir -p "$work/overlay"
	cat >"$work/overlay/kustomization.yaml" <<-END
		apiVersion: kustomize.config.k8s.io/v1beta1
		kind: Kustomization
		resources: [$(realpath --relative-to="$work/overlay" "$top/deploy")]
		patches:
		- target: {kind: ConfigMap, name: berth-provisioner}
		  patch: |
		    - op: replace
		      path: /data/config.yaml
		      value: |
		        log: {level: debug}
		- target: {kind: ConfigMap, name: berth-agent}
		  patch: |
		    - op: replace
		      path: /data/config.yaml
		      value: |
		        log: {level: debug}
		        agent:
		          pools: [{name: disk, path: /var/lib/pool}]
		          statsCache: 1s
		- target: {kind: DaemonSet, name: berth-agent}
		  patch: |
		    - {op: add, path: /spec/template/spec/containers/0/command/-, value: --pool}
		    - {op: add, path: /spec/template/spec/containers/0/command/-, value: /var/lib/pool}
	END
}
deploy_berth() {
	overlay
	on n1 mkdir -p /var/lib/pool/existing /var/lib/pool/.berth
	on n1 sh -c 'echo "{\"version\":1,\"id\":\"6e0e8bb2-8a8c-4a4e-9d53-6b9a3a5f0b11\"}" >/var/lib/pool/.berth/identity.json'
	k apply -k "$work/overlay"
}
agent_pod() { # node
	k -n $system get pods -l app.kubernetes.io/name=berth-agent --field-selector "spec.nodeName=$1" \
		-o 'jsonpath={.items[0].metadata.name}'
}
agent_ready() { # node
	k -n $system wait --for=condition=Ready --timeout=1s "pod/$(agent_pod "$1")"
}
# On the node itself: the agent need not be asked, nor run.
berthctl() { # node, arguments...
	local node=$1
	shift
	k -n $system exec "$(agent_pod "$node")" -c berth-agent -- berthctl "$@"
}
# A program of ours, where a node sees it: /run/node/tools/NAME.
give_tool() { # file, node...
	local file=$1 node
	shift
	for node; do install -D -t "$BERTH_CLUSTER_DIR/nodes/$node/tools" "$file" || return 1; done
}
# csi-sanity's Identity and Node parts on a driver's socket, each of its cases as one of ours.
sanity() { # node, driver, attributes of an existing volume...
	local node=$1 driver=$2 n=0 word line out words=()
	shift 2
	for word; do words+=(--attribute "$word"); done
	# Its targets lie below a pod that is there: the agent's own.
	out=$(on "$node" /run/node/tools/sanity --endpoint "unix:///var/lib/kubelet/plugins/$driver/csi.sock" "${words[@]}" \
		--pod "$(k -n $system get pod "$(agent_pod "$node")" -o 'jsonpath={.metadata.uid}')")
	while IFS= read -r line; do
		word="csi-sanity, $driver: ${line#* - }"
		case $line in 'ok '* | 'not ok '*) n=$((n + 1)) ;; esac
		case $line in
		'ok '*' # SKIP '*) skip "${word% # SKIP *}" "${line#* # SKIP }" ;;
		'ok '*) report 0 "$word" ;;
		'not ok '*) report 1 "$word" ;;
		'#'*) echo "$line" ;;
		esac
	done <<<"$out"
	is "csi-sanity, $driver: all of it ran" "${out##*$'\n'}" "1..$n"
}
# KiB of Berth's processes on a node: anonymous, and with their part of what is shared. Programs, one a line.
memory_on() { # node
	# shellcheck disable=SC2016 # the node's shell expands it
	on "$1" sh -c 'for p in /proc/[0-9]*; do
		grep -q "^Name:.berth-" $p/status 2>/dev/null || continue
		echo $(sed -n "s/^Name:.//p; s/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p" $p/status) $(sed -n "s/^Pss:[^0-9]*\([0-9]*\).*/\1/p" $p/smaps_rollup)
	done' | awk '{ name = $1 == "berth-provision" ? "provisioner" : $1 == "berth-nfs" ? $1 : "agent"; n[name]++; anon[name] += $2; pss[name] += $3 }
		END { for (name in n) printf "%s (%d processes): %d KiB anonymous, %d KiB PSS\n", name, n[name], anon[name], pss[name] }' | sort
}
has_driver() { # node, driver
	k get csinode "$1" -o 'jsonpath={.spec.drivers[*].name}' | grep -qwF "$2"
}
lacks_driver() { ! has_driver "$@"; }
condition_of() { # node, type → "status reason message"
	k get bnode "$1" -o "jsonpath={.status.conditions[?(@.type==\"$2\")]}" | jq -r '"\(.status) \(.reason) \(.message)"'
}

# ---- workloads -----------------------------------------------------------------------------------
# A writer: says that it started, then a number a second. It waits without a process: in user-mode-linux each costs.
writer='trap "exit 0" TERM; echo "$POD" >>/data/starts; mkfifo /tmp/never; exec 3<>/tmp/never; i=0
while :; do i=$((i+1)); echo $i >>/data/log; read -t 1 line <&3; done'
# In the node's network: what the CNI would do takes a second a pod in user-mode-linux and is not what we test.
pod_spec() { # indentation, volume lines...; NODE, COMMAND, POD_LINES, MOUNT_LINES
	local pad=$1 line
	shift
	{
		cat <<-END
			nodeSelector: {kubernetes.io/hostname: ${NODE:-n2}}
			hostNetwork: true
			terminationGracePeriodSeconds: 2
			enableServiceLinks: false
			automountServiceAccountToken: false
			${POD_LINES:-}
			containers:
			- name: c
			  image: busybox:test
			  imagePullPolicy: Never
			  env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
			  command: [sh, -c, $(jq -n --arg c "${COMMAND:-$writer}" '$c')]
			  volumeMounts:
		END
		printf '  %s\n' "${MOUNT_LINES:-- {name: d, mountPath: /data\}}"
		[ $# -eq 0 ] || echo volumes:
		for line; do printf '%s\n' "$line"; done
	} | sed "/^\$/d; s/^/$pad/"
}
pod_yaml() { # name, claim; as pod_spec, CLAIM_FLAGS
	cat <<-END
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, labels: {app: $1}}
		spec:
		$(pod_spec '  ' "- {name: d, persistentVolumeClaim: {claimName: $2${CLAIM_FLAGS:-}}}")
	END
}
set_yaml() { # name, class or "" for emptyDir; REPLICAS
	cat <<-END
		---
		apiVersion: apps/v1
		kind: StatefulSet
		metadata: {name: $1}
		spec:
		  serviceName: $1
		  replicas: ${REPLICAS:-3}
		  podManagementPolicy: Parallel
		  selector: {matchLabels: {app: $1}}
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
	END
	if [ -z "$2" ]; then
		pod_spec '      ' '- {name: d, emptyDir: {}}'
		return
	fi
	MOUNT_LINES='- {name: www, mountPath: /data}' pod_spec '      '
	cat <<-END
		  volumeClaimTemplates:
		  - metadata: {name: www}
		    spec: {accessModes: [ReadWriteOnce], storageClassName: $2, resources: {requests: {storage: 1Gi}}}
	END
}
deployment_yaml() { # name, claim; REPLICAS
	cat <<-END
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: $1}
		spec:
		  replicas: ${REPLICAS:-2}
		  selector: {matchLabels: {app: $1}}
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
		$(pod_spec '      ' "- {name: d, persistentVolumeClaim: {claimName: $2}}")
	END
}
static_yaml() { # name, driver, mode, node lines or "", attributes as JSON
	cat <<-END
		---
		apiVersion: v1
		kind: PersistentVolume
		metadata: {name: $1}
		spec:
		  capacity: {storage: 1Gi}
		  accessModes: [$3]
		  persistentVolumeReclaimPolicy: Retain
		  storageClassName: static
		  claimRef: {namespace: default, name: $1}
		  csi: {driver: $2, volumeHandle: $1, volumeAttributes: $5}
		  $4
		---
		apiVersion: v1
		kind: PersistentVolumeClaim
		metadata: {name: $1}
		spec: {accessModes: [$3], storageClassName: static, volumeName: $1, resources: {requests: {storage: 1Gi}}}
	END
}
ready() { k wait --for=condition=Ready --timeout=1s "$@"; } # pod/name...
rolled_out() { k -n "${2:-default}" rollout status --timeout=1s "$1"; } # kind/name [, namespace]
pods_gone() { [ -z "$(k get pods -l "app=$1" -o name)" ]; }
pod_gone() { ! k get pod "$1" -o name; }
says() { k logs "$1" | grep -qE "$2"; } # pod, extended regular expression
uid_of() { k get pod "$1" -o 'jsonpath={.metadata.uid}'; }
container_of() { k get pod "$1" -o 'jsonpath={.status.containerStatuses[0].containerID}'; }
delete_pod() { k delete pod --wait=false "$@"; }

# ---- what is there -------------------------------------------------------------------------------
# Of a claim's volume as the server has it.
tree_of() { # server, claim
	echo "$work/$1/tree/data/default-$2-$(volume_of "$2")"
}
lines_in() { wc -l <"$1" 2>/dev/null || echo 0; }
grows() { # file: more lines than two seconds ago, asked by eventually
	local before
	before=$(lines_in "$1")
	sleep 2
	[ "$(lines_in "$1")" -gt "$before" ]
}
# A pod of the StatefulSet, so often on the same data.
started() { [ "$(grep -cx "$1" "$(tree_of a "www-$1")/starts")" = "$2" ]; } # pod, times
# A writer that never started anew: each of its numbers, once, in order.
counted() { awk '$1 != NR { exit 1 }' "$1"; } # file
# What the kernel is at in a node's processes of that name.
stuck_in() { # node, name, function of the kernel
	# shellcheck disable=SC2016 # the node's shell expands it
	on "$1" sh -c 'for p in $(grep -lx "Name:.$0" /proc/[0-9]*/status); do cat "${p%/status}"/task/*/stack | grep -qF "$1" && exit 0; done; exit 1' "$2" "$3"
}
all_awake() { on "$1" sh -c '! grep -l "^State:.D" /proc/[0-9]*/status'; } # node: nothing in uninterruptible sleep
mounts_on() { on "$1" cat /proc/1/mountinfo; } # node
mounted_for() { # node, pod uid
	mounts_on "$1" | grep -cF "/pods/$2/volumes/kubernetes.io~csi/"
}
not_mounted_for() { [ "$(mounted_for "$@")" = 0 ]; }
