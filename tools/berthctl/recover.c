/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c: the orders, and what became of each volume */
#include "tools/berthctl/recover.h"

#include <stdio.h>

#include "base/str.h"
#include "data/decode.h"
#include "tools/berthctl/lists.h"

/* Takes body. */
static int ask(const struct cli *c, const char *path, json_t *body, json_t **ret)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int r;

	json_decref(body);
	if (!text)
		return cli_fail(CLI_UNHEALTHY, "out of memory");
	r = cli_ask(c, path, text, ret);
	free(text);
	return r;
}

int recover_restore(const struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	const json_t *row;
	int r = ask(c, "/v1/restore", json_pack("{s:s}", "name", c->words[0]), &answer);

	if (r != CLI_FINE || c->format != CLI_TABLE)
		return r != CLI_FINE ? r : lists_print(c, "adoptions", answer);
	row = json_array_get(json_object_get(answer, "items"), 0);
	if (!lists_is_well(row))
		return lists_print(c, "adoptions", answer);
	(void)printf("restored: PersistentVolume %s waits for claim %s\n",
		str_or(json_string_at(row, "volume", NULL), ""),
		str_or(json_string_at(row, "claim", NULL), ""));
	return CLI_FINE;
}

int recover_adopt(const struct cli *c)
{
	_cleanup_json_ json_t *answer = NULL;
	json_t *body = json_pack("{s:b}", "dryRun", c->dry_run);
	const char *volume = c->n_words + c->all > 1 ? c->words[c->n_words - 1] : NULL;
	int r;

	if (body && c->all)
		(void)json_object_set_new(body, "all", json_true());
	else if (body)
		(void)json_object_set_new(body, "export", json_string(c->words[0]));
	if (body && volume)
		(void)json_object_set_new(body, "volume", json_string(volume));
	r = ask(c, "/v1/adopt", body, &answer);
	return r == CLI_FINE ? lists_print(c, "adoptions", answer) : r;
}
