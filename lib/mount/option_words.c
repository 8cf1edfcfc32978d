/* SPDX-License-Identifier: Apache-2.0 */
/* option_words.c: the mount options that are known, one row each */
#include "mount/option_words.h"

#include <stddef.h>

#include "mount/flags.h"

static const char *const protos[] = {"tcp", "tcp6", "udp", "udp6", "rdma", "rdma6", NULL};
static const char *const mount_protos[] = {"tcp", "tcp6", "udp", "udp6", NULL};
static const char *const securities[] = {"sys", "none", "krb5", "krb5i", "krb5p", NULL};
static const char *const caches[] = {"all", "none", "pos", "positive", NULL};
static const char *const local_locks[] = {"all", "flock", "posix", "none", NULL};
static const char *const writes[] = {"lazy", "eager", "wait", NULL};
static const char *const transports[] = {"none", "tls", "mtls", NULL};

const char *const option_actimeo[] = {"acregmin", "acregmax", "acdirmin", "acdirmax", NULL};

#define DROP(n) .name = (n), .kind = OPTION_DROP
#define NFS_DROP(n) DROP(n), .nfs_only = true
#define NFS_REFUSE(n) .name = (n), .kind = OPTION_REFUSE, .nfs_only = true
#define FLAG(n, s, c) .name = (n), .kind = OPTION_FLAG, .set = (s), .clear = (c)
#define WORD(n, g) .name = (n), .kind = OPTION_WORD, .nfs_only = true, .group = (g)
#define ALIAS(n, g, t) WORD(n, g), .text = (t)
#define VERSION(n, t) .name = (n), .kind = OPTION_VERSION, .nfs_only = true, .text = (t)
#define VALUE(n, k) .name = (n), .kind = (k), .nfs_only = true, .valued = true
#define NUMBER(n, from, to) VALUE(n, OPTION_NUMBER), .min = (from), .max = (to)
#define CHOICE(n, c) VALUE(n, OPTION_CHOICE), .choices = (c)
#define TEXT(n, g) VALUE(n, OPTION_TEXT), .group = (g)

#define ATIMES (MOUNTF_NOATIME | MOUNTF_STRICTATIME)
/* A day: attribute cache times are seconds, the kernel's default is at most 60. */
#define CACHE_MAX 86400
/* 1/10 s; the kernel's own limit is 600 s. */
#define TIMEO_MAX 6000

const struct option_word option_words[] = {
	/* Of the VFS. */
	{FLAG("ro", MOUNTF_RDONLY, 0)},
	{FLAG("rw", 0, MOUNTF_RDONLY)},
	{FLAG("nosuid", MOUNTF_NOSUID, 0)},
	{FLAG("suid", 0, MOUNTF_NOSUID)},
	{FLAG("nodev", MOUNTF_NODEV, 0)},
	{FLAG("dev", 0, MOUNTF_NODEV)},
	{FLAG("noexec", MOUNTF_NOEXEC, 0)},
	{FLAG("exec", 0, MOUNTF_NOEXEC)},
	{FLAG("noatime", MOUNTF_NOATIME, ATIMES)},
	{FLAG("atime", 0, MOUNTF_NOATIME)},
	{FLAG("relatime", 0, ATIMES)},
	{FLAG("norelatime", 0, 0)},
	{FLAG("strictatime", MOUNTF_STRICTATIME, ATIMES)},
	{FLAG("nostrictatime", 0, MOUNTF_STRICTATIME)},
	{FLAG("nodiratime", MOUNTF_NODIRATIME, 0)},
	{FLAG("diratime", 0, MOUNTF_NODIRATIME)},
	{FLAG("sync", MOUNTF_SYNC, 0)},
	{FLAG("async", 0, MOUNTF_SYNC)},
	{FLAG("dirsync", MOUNTF_DIRSYNC, 0)},
	/* Of user space: mount(8), systemd, mount.nfs. */
	{DROP("defaults")},
	{DROP("auto")},
	{DROP("noauto")},
	{DROP("nofail")},
	{DROP("_netdev")},
	{DROP("_rnetdev")},
	{DROP("nouser")},
	{DROP("comment")},
	{NFS_DROP("bg")},
	{NFS_DROP("fg")},
	{NFS_DROP("retry")},
	{NFS_DROP("mounthost")},
	{NFS_DROP("sloppy")},
	{NFS_DROP("intr")},
	{NFS_DROP("nointr")},
	/* Where the data goes is the volume's server and export, nothing else. */
	{NFS_REFUSE("addr")},
	{NFS_REFUSE("clientaddr")},
	{NFS_REFUSE("mountaddr")},
	{NFS_REFUSE("source")},
	/* Versions. */
	{VERSION("vers", NULL), .valued = true},
	{VERSION("nfsvers", NULL), .valued = true},
	{VERSION("v3", "3")},
	{VERSION("v4", "4")},
	{VERSION("v4.0", "4.0")},
	{VERSION("v4.1", "4.1")},
	{VERSION("v4.2", "4.2")},
	{VALUE("minorversion", OPTION_MINOR), .min = 0, .max = 2},
	/* Words of NFS. */
	{WORD("ac", "ac")},
	{WORD("noac", "ac")},
	{WORD("acl", "acl")},
	{WORD("noacl", "acl")},
	{WORD("cto", "cto")},
	{WORD("nocto", "cto")},
	{WORD("fsc", "fsc")},
	{WORD("nofsc", "fsc")},
	{WORD("hard", "hard")},
	{WORD("soft", "hard")},
	{WORD("softerr", "hard")},
	{WORD("softreval", "softreval")},
	{WORD("nosoftreval", "softreval")},
	{WORD("lock", "lock")},
	{WORD("nolock", "lock")},
	{WORD("migration", "migration")},
	{WORD("nomigration", "migration")},
	{WORD("posix", "posix")},
	{WORD("noposix", "posix")},
	{WORD("rdirplus", "rdirplus")},
	{WORD("nordirplus", "rdirplus")},
	{WORD("resvport", "resvport")},
	{WORD("noresvport", "resvport")},
	{WORD("sharecache", "sharecache")},
	{WORD("nosharecache", "sharecache")},
	{WORD("trunkdiscovery", "trunkdiscovery")},
	{WORD("notrunkdiscovery", "trunkdiscovery")},
	{ALIAS("tcp", "proto", "proto=tcp")},
	{ALIAS("udp", "proto", "proto=udp")},
	{ALIAS("rdma", "proto", "proto=rdma")},
	/* Values of NFS. */
	{CHOICE("proto", protos)},
	{CHOICE("mountproto", mount_protos)},
	{CHOICE("lookupcache", caches)},
	{CHOICE("local_lock", local_locks)},
	{CHOICE("write", writes)},
	{CHOICE("xprtsec", transports)},
	{VALUE("sec", OPTION_CHOICES), .choices = securities},
	{NUMBER("acregmin", 0, CACHE_MAX)},
	{NUMBER("acregmax", 0, CACHE_MAX)},
	{NUMBER("acdirmin", 0, CACHE_MAX)},
	{NUMBER("acdirmax", 0, CACHE_MAX)},
	{VALUE("actimeo", OPTION_ACTIMEO), .min = 0, .max = CACHE_MAX},
	{NUMBER("bsize", 512, 4U << 20)},
	{NUMBER("rsize", 512, 4U << 20)},
	{NUMBER("wsize", 512, 4U << 20)},
	{NUMBER("max_connect", 1, 16)},
	{NUMBER("mountport", 1, 65535)},
	{NUMBER("mountvers", 1, 3)},
	{NUMBER("namlen", 1, 255)},
	{NUMBER("nconnect", 1, 16)},
	{NUMBER("port", 1, 65535)},
	{NUMBER("retrans", 0, 65535)},
	{NUMBER("timeo", 1, TIMEO_MAX)},
	{TEXT("fsc", "fsc")},
	{TEXT("context", "context")},
	{TEXT("fscontext", "fscontext")},
	{TEXT("defcontext", "defcontext")},
	{TEXT("rootcontext", "rootcontext")},
	{.name = NULL},
};
