/* SPDX-License-Identifier: Apache-2.0 */
/* op_attach.c: the control directory of an export and its identity, found or made */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "nfs/worker.h"

#define CONTROL_MODE 0700
/* An empty identity.json is being written by another provisioner: looked at again after 10 ms, then
 * twice that, up to 640 ms. Who needs longer than all that is slow, or dead, and so often is he
 * given the benefit of the doubt. */
#define EMPTY_WAIT MILLISECONDS(10)
#define EMPTY_WAITS 7
#define EMPTY_MAX 5

enum {
	ROOT,
	CONTROL,
	CONTROL_MAKE,
	VOLUMES,
	VOLUMES_MAKE,
	TRASH,
	TRASH_MAKE,
	IDENTITY,
	IDENTITY_MAKE,
	IDENTITY_MEND
};

static int root_start(struct op *op)
{
	op->call.name = op->x->path;
	return op_send(op, CALL_ROOT, op_cred(op));
}

static int root_done(struct op *op, const struct call *c)
{
	if (c->r < 0)
		return op_fail(op, c, "mount the export");
	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(op, ENOTDIR, "the export is no directory");
	op->x->root = c->fh;
	memcpy(op->x->fsid, c->attr.fsid, sizeof(op->x->fsid));
	return CONTROL;
}

static const struct {
	const char *name, *text;
	size_t parent, target; /* handles in the export */
} places[] = {
	[CONTROL] = {CONTROL_DIRECTORY, CONTROL_DIRECTORY, offsetof(struct nfs_export, root),
		offsetof(struct nfs_export, control)},
	[VOLUMES] = {CONTROL_VOLUMES, CONTROL_DIRECTORY "/" CONTROL_VOLUMES,
		offsetof(struct nfs_export, control), offsetof(struct nfs_export, volumes)},
	[TRASH] = {CONTROL_TRASH, CONTROL_DIRECTORY "/" CONTROL_TRASH,
		offsetof(struct nfs_export, control), offsetof(struct nfs_export, trash)},
};

static struct nfs_fh *handle(struct op *op, size_t offset)
{
	return (struct nfs_fh *)(void *)((char *)op->x + offset);
}

/* The looking-up step of a place: the states stand in pairs. */
static int place_of(int state)
{
	return state == CONTROL || state == CONTROL_MAKE   ? CONTROL
	       : state == VOLUMES || state == VOLUMES_MAKE ? VOLUMES
							   : TRASH;
}

static int place_start(struct op *op)
{
	int place = place_of(op->state);

	op->call.dir = *handle(op, places[place].parent);
	op->call.name = places[place].name;
	op->call.set = (struct nfs_set){.what = SET_MODE, .mode = CONTROL_MODE};
	return op_send(op, op->state == place ? CALL_LOOKUP : CALL_MKDIR, op_cred(op));
}

/* Who only looks makes nothing: a static volume's export gets no control directory by being listed.
 */
static int not_there(struct op *op, int make, const char *what)
{
	if (op->kind != NFS_LIST)
		return make;
	op->absent = true;
	return op_refuse(op, ENOENT, "there is no %s", what);
}

static int place_done(struct op *op, const struct call *c)
{
	int place = place_of(op->state);
	bool making = op->state != place;

	if (!making && c->r == -ENOENT)
		return not_there(op, place + 1, places[place].text);
	if (making && c->r == -EEXIST)
		return place;
	if (c->r < 0)
		return op_fail(op, c, "%s %s", making ? "make" : "look up", places[place].text);
	if (c->attr.type != NFS_TYPE_DIRECTORY)
		return op_refuse(op, ENOTDIR, "%s is no directory", places[place].text);
	if (memcmp(c->attr.fsid, op->x->fsid, sizeof(op->x->fsid)) != 0)
		return op_refuse(op, EXDEV, "%s is on another file system", places[place].text);
	*handle(op, places[place].target) = c->fh;
	return place == CONTROL ? VOLUMES : place == VOLUMES ? TRASH : IDENTITY;
}

static int identity_start(struct op *op)
{
	buf_reset(&op->file);
	op->call.dir = op->x->control;
	op->call.name = CONTROL_IDENTITY;
	op->call.out = &op->file;
	op->call.wait = op->waits > 0 ? EMPTY_WAIT << (op->waits - 1) : 0;
	return op_send(op, CALL_READ, op_cred(op));
}

static int identity_done(struct op *op, const struct call *c)
{
	struct identity id;
	int r;

	if (c->r == -ENOENT)
		return not_there(op, IDENTITY_MAKE, CONTROL_DIRECTORY "/" CONTROL_IDENTITY);
	if (c->r < 0)
		return op_fail(op, c, "read %s/%s", CONTROL_DIRECTORY, CONTROL_IDENTITY);
	if (op->file.len == 0 && op->waits++ < EMPTY_WAITS)
		return IDENTITY;
	if (op->file.len == 0 && ++op->x->empty > EMPTY_MAX)
		return IDENTITY_MEND;
	if (op->file.len == 0)
		return op_refuse(op, EBUSY, "%s is just being written", CONTROL_IDENTITY);
	r = identity_decode(&id, op->file.data, op->file.len, &op->err);
	if (r < 0) {
		(void)err_prefix(
			&op->err, "%s:%s: %s", op->w->server.name, op->x->path, CONTROL_IDENTITY);
		return r;
	}
	memcpy(op->x->identity, id.id, sizeof(op->x->identity));
	op->x->empty = 0;
	return STEP_END;
}

/* Made exclusively: of two provisioners the second reads what the first wrote. */
static int identity_make_start(struct op *op)
{
	struct identity id;
	int r;

	identity_make(&id);
	buf_reset(&op->file);
	r = identity_encode(&id, &op->file, &op->err);
	if (r < 0)
		return r;
	str_copy_cut(op->temp, sizeof(op->temp), ".identity");
	op->call.dir = op->x->control;
	op->call.name = CONTROL_IDENTITY;
	op->call.to_name = op->temp;
	op->call.data = op->file.data;
	op->call.size = op->file.len;
	return op_send(op, op->state == IDENTITY_MAKE ? CALL_CREATE : CALL_REPLACE, op_cred(op));
}

static int identity_make_done(struct op *op, const struct call *c)
{
	if (c->r < 0 && c->r != -EEXIST)
		return op_fail(op, c, "write %s/%s", CONTROL_DIRECTORY, CONTROL_IDENTITY);
	return IDENTITY;
}

const struct op_step op_attach_steps[] = {
	[ROOT] = {"root", root_start, root_done},
	[CONTROL] = {"control", place_start, place_done},
	[CONTROL_MAKE] = {"control-make", place_start, place_done},
	[VOLUMES] = {"volumes", place_start, place_done},
	[VOLUMES_MAKE] = {"volumes-make", place_start, place_done},
	[TRASH] = {"trash", place_start, place_done},
	[TRASH_MAKE] = {"trash-make", place_start, place_done},
	[IDENTITY] = {"identity", identity_start, identity_done},
	[IDENTITY_MAKE] = {"identity-make", identity_make_start, identity_make_done},
	[IDENTITY_MEND] = {"identity-mend", identity_make_start, identity_make_done},
};
