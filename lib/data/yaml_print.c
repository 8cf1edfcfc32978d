/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_print.c: JSON as YAML, through libyaml's emitter */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include <yaml.h>

#include "base/str.h"
#include "data/yaml.h"
#include "data/yaml_scalar.h"

struct printer {
	yaml_emitter_t emitter;
	struct buf *out;
	int result;
};

static int on_write(void *userdata, unsigned char *data, size_t size)
{
	struct printer *p = userdata;

	p->result = buf_append(p->out, data, size);
	return p->result == 0;
}

/* Takes the event. */
static int emit(struct printer *p, yaml_event_t *event, int initialized)
{
	if (!initialized)
		return -ENOMEM;
	if (yaml_emitter_emit(&p->emitter, event))
		return 0;
	return p->result < 0 ? p->result : -ENOMEM;
}

/* What YAML 1.1 takes for a boolean; its numbers and times begin with a digit, sign or dot. */
static bool is_old_word(const char *s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off"};

	for (size_t i = 0; i < ELEMENTSOF(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return true;
	return false;
}

static bool needs_quotes(const char *s, size_t size)
{
	_cleanup_json_ json_t *meant = NULL;

	if (size == 0 || strchr("0123456789+-.~=<", *s) || is_old_word(s))
		return true;
	return yaml_scalar_to_json(s, size, true, &meant) < 0 || !json_is_string(meant);
}

static int print_scalar(struct printer *p, const char *s, size_t size, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(p, &event,
		yaml_scalar_event_initialize(
			&event, NULL, NULL, (yaml_char_t *)s, (int)size, 1, 1, style));
}

static int print_string(struct printer *p, const char *s, size_t size)
{
	return print_scalar(p, s, size,
		needs_quotes(s, size) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);
}

static int print_number(struct printer *p, const json_t *json)
{
	char text[64];

	if (json_is_integer(json))
		(void)snprintf(
			text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else
		(void)snprintf(text, sizeof(text), "%.6g", json_real_value(json));
	return print_scalar(p, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static int print_value(struct printer *p, const json_t *json);

static int print_array(struct printer *p, const json_t *json)
{
	yaml_event_t event;
	size_t i;
	json_t *value;
	int r = emit(p, &event,
		yaml_sequence_start_event_initialize(
			&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));

	json_array_foreach (json, i, value)
		if (r == 0)
			r = print_value(p, value);
	return r < 0 ? r : emit(p, &event, yaml_sequence_end_event_initialize(&event));
}

static int print_object(struct printer *p, const json_t *json)
{
	yaml_event_t event;
	const char *key;
	json_t *value;
	int r = emit(p, &event,
		yaml_mapping_start_event_initialize(
			&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));

	json_object_foreach ((json_t *)json, key, value) {
		if (r == 0)
			r = print_string(p, key, strlen(key));
		if (r == 0)
			r = print_value(p, value);
	}
	return r < 0 ? r : emit(p, &event, yaml_mapping_end_event_initialize(&event));
}

static int print_value(struct printer *p, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return print_object(p, json);
	case JSON_ARRAY:
		return print_array(p, json);
	case JSON_STRING:
		return print_string(p, json_string_value(json), json_string_length(json));
	case JSON_INTEGER:
	case JSON_REAL:
		return print_number(p, json);
	case JSON_TRUE:
		return print_scalar(p, "true", 4, YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return print_scalar(p, "false", 5, YAML_PLAIN_SCALAR_STYLE);
	case JSON_NULL:
		break;
	}
	return print_scalar(p, "null", 4, YAML_PLAIN_SCALAR_STYLE);
}

static int print_document(struct printer *p, const json_t *json)
{
	yaml_event_t event;
	int r = emit(p, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));

	if (r == 0)
		r = emit(p, &event,
			yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	if (r == 0)
		r = print_value(p, json);
	if (r == 0)
		r = emit(p, &event, yaml_document_end_event_initialize(&event, 1));
	return r < 0 ? r : emit(p, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_print(const json_t *json, struct buf *out)
{
	struct printer p = {.out = out};
	int r;

	if (!yaml_emitter_initialize(&p.emitter))
		return -ENOMEM;
	yaml_emitter_set_output(&p.emitter, on_write, &p);
	yaml_emitter_set_unicode(&p.emitter, 1);
	yaml_emitter_set_width(&p.emitter, -1);
	r = print_document(&p, json);
	yaml_emitter_delete(&p.emitter);
	return r;
}
