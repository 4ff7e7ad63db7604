/*
 * json.h - writes one JSON value (RFC 8259) to a stream. `key` is NULL for elements of an array.
 *
 *	struct json j;
 *
 *	json_begin(&j, stdout);
 *	json_array(&j, NULL);
 *	json_object(&j, NULL);
 *	json_text(&j, "name", span);
 *	json_close(&j);
 *	json_close(&j);		the last one ends the line
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdio.h>

#include "base/span.h"

struct json {
	FILE *out;
	unsigned depth;
	bool more[16]; /* an element stands already at this depth */
	char end[16];  /* '}' or ']' of each open value */
};

void json_begin(struct json *j, FILE *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j);
void json_text(struct json *j, const char *key, struct span value); /* octets that are no UTF-8: U+FFFD */
void json_str(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

#endif
