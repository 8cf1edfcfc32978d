/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h: what the front and the broker say to each other: messages of one size on a
 * SOCK_SEQPACKET socket, descriptors beside them */
#ifndef BERTH_AGENT_BROKER_H
#define BERTH_AGENT_BROKER_H

#include <stdint.h>

/*
 * The front is execve'd by the broker as uid 65532 without capabilities, with no_new_privs, stdin
 * and stdout /dev/null, and this socket as descriptor 3. Its argv is
 *   berth-front --mountinfo PATH <the arguments of berth-agent>
 * where PATH is the mountinfo of the mount namespace that mounts are made in, and of the arguments
 * the broker keeps --host, --host-proc, --front, --nfs-worker and what belongs to them; it reads
 * --kubelet-root, --run-dir and --pool, too, and knows no other. The directory `front`
 * in the run directory is its own to write (0700). It ends with the
 * broker (SIGKILL). It is restarted with a back-off, unless it exits with BROKER_FRONT_GIVES_UP:
 * then the broker ends with that status, too (wrong configuration: nothing that a restart would
 * mend).
 *
 * What either side sends is one struct in one packet, both of one build. A front that sends
 * anything else, or does not read what it is sent, is killed and started anew. When a front ends,
 * the broker kills all children: whatever they were at is done again by whoever wants it, for every
 * order can be repeated. A child that the kernel does not let go (uninterruptible sleep) keeps its
 * key: BROKER_START answers -EBUSY for it until it is reaped, to this front and to later ones; of
 * mount children also to those of a later broker (claim.h).
 */
#define BROKER_FD 3
#define BROKER_FRONT_GIVES_UP 2
#define BROKER_FRONT_LOST 3
#define BROKER_PATH_MAX 192 /* beneath a base, NUL included */
#define BROKER_KEY_MAX 64
#define BROKER_TEXT_MAX 256
/* Children at once: exports that one node uses, twice (mounts and their statfs), and some. A front
 * that wants more is told -ENFILE. */
#define BROKER_CHILDREN_MAX 256

enum broker_order_kind {
	/*
	 * Binds path beneath base: `.name.tmp` with mode, listen(2), then renamed to its name, so
	 * that nobody sees a socket that does not accept. Missing directories are made (0750).
	 * An old socket of that name is replaced, but never one that somebody else listens on
	 * (-EADDRINUSE), and never something that is no socket (-EEXIST). The full path has to fit
	 * into sun_path (107 bytes): -ENAMETOOLONG. The answer is a BROKER_SOCKET with the
	 * listening, non-blocking, close-on-exec descriptor. Of all three that name a path: none
	 * but the places of socket_name.h (-EINVAL).
	 */
	BROKER_PUBLISH = 1,
	/* Unlinks the socket that was published under path. Answer: BROKER_SOCKET, no descriptor.
	 */
	BROKER_REMOVE,
	/* Connects to the socket at path beneath base, as the kubelet would; where another process
	 * listens there: -EADDRINUSE. Answer: BROKER_SOCKET with the connected, non-blocking
	 * descriptor. */
	BROKER_CONNECT,
	/* Starts a child of a class for key; one descriptor comes with it: the child's end of a
	 * stream socket. Answer only where it failed: BROKER_ENDED with result. */
	BROKER_START,
	/* SIGKILL. BROKER_ENDED follows once it is reaped. No child: no answer. */
	BROKER_KILL,
	_BROKER_ORDER_MAX
};

/* Where sockets may be: the broker's --kubelet-root and --run-dir. */
enum broker_base { BROKER_KUBELET, BROKER_RUN, _BROKER_BASE_MAX };

enum broker_class {
	/* In the host's mount and network namespace, CAP_SYS_ADMIN alone, seccomp: frames of
	 * lib/worker with the orders of agent/child.h. */
	BROKER_MOUNT,
	/* In the host's network namespace, uid 65532, no capability: resolves and probes servers,
	 * frames with the requests of agent/resolver.h. */
	BROKER_RESOLVER,
	/* Likewise; calls to servers, for as long as they are watched: agent/pinger.h. */
	BROKER_PINGER,
	/* berth-nfs in the host's network namespace, uid 65532, no capability, but with sockets
	 * that are bound to reserved ports (nfs/nfs.h). */
	BROKER_NFS,
	_BROKER_CLASS_MAX
};

struct broker_order {
	uint32_t kind;
	uint32_t what;              /* enum broker_base or enum broker_class */
	uint32_t mode;              /* of a socket */
	char name[BROKER_PATH_MAX]; /* path beneath base, or key (< BROKER_KEY_MAX); NUL-terminated
				     */
};

enum broker_notice_kind {
	BROKER_SOCKET = 1, /* the answer to PUBLISH, REMOVE and CONNECT, in the order of those */
	BROKER_ENDED,      /* the child of name is no more (or never was) */
};

struct broker_notice {
	uint32_t kind;
	uint32_t what;  /* as in the order */
	int32_t result; /* 0 or -errno */
	int32_t pid;    /* ENDED: of the child, 0 where none was started; */
	int32_t status; /* and as waitpid(2) has it */
	char name[BROKER_PATH_MAX];
	char text[BROKER_TEXT_MAX]; /* why, where result is not 0 */
};

#endif
