#include "ipc/wire.h"

static const struct ipc_field refuse_fields[] = {
	{ IPC_u32, "kind", "enum err_kind" },
	{ IPC_span, "text", "why" },
	{ IPC_END, NULL, NULL },
};
static const struct ipc_msg refuse = { "ipc_refuse", ipc_refuse_no, UINT32_MAX, sizeof(struct ipc_refuse),
	refuse_fields };

const struct ipc_msg *
wire_msg(const struct ipc_def *def, uint32_t number)
{
	if (number == ipc_refuse_no)
		return &refuse;
	for (const struct ipc_msg *m = def->msgs; m->name != NULL; m++)
		if (m->number == number)
			return m;
	return NULL;
}

/* Where the next field of this type lies, given where the one before ended; *at is moved behind it. */
static size_t
place(enum ipc_type type, size_t *at)
{
	static const struct {
		size_t size, align;
	} of[] = {
		[IPC_END] = { 0, 1 },
		[IPC_u32] = { sizeof(uint32_t), _Alignof(uint32_t) },
		[IPC_u64] = { sizeof(uint64_t), _Alignof(uint64_t) },
		[IPC_span] = { sizeof(struct span), _Alignof(struct span) },
		[IPC_fd] = { sizeof(int), _Alignof(int) },
	};
	size_t start = (*at + of[type].align - 1) / of[type].align * of[type].align;

	*at = start + of[type].size;
	return start;
}

void
wire_put16(char *to, uint32_t v)
{
	to[0] = (char)(v & 0xff);
	to[1] = (char)(v >> 8 & 0xff);
}

void
wire_put32(char *to, uint32_t v)
{
	wire_put16(to, v & 0xffff);
	wire_put16(to + 2, v >> 16);
}

static void
put64(char *to, uint64_t v)
{
	wire_put32(to, (uint32_t)v);
	wire_put32(to + 4, (uint32_t)(v >> 32));
}

uint32_t
wire_get16(const char *p)
{
	return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8;
}

uint32_t
wire_get32(const char *p)
{
	return wire_get16(p) | wire_get16(p + 2) << 16;
}

static uint64_t
get64(const char *p)
{
	return (uint64_t)wire_get32(p) | (uint64_t)wire_get32(p + 4) << 32;
}

size_t
wire_size(const struct ipc_msg *msg, const void *m, int *fd)
{
	size_t at = 0, n = 0;
	const char *base = m;

	*fd = -1;
	for (const struct ipc_field *f = msg->fields; f->type != IPC_END; f++) {
		const char *field = base + place(f->type, &at);
		struct span s;

		switch (f->type) {
		case IPC_u32:
			n += 4;
			break;
		case IPC_u64:
			n += 8;
			break;
		case IPC_span:
			memcpy(&s, field, sizeof s);
			if (s.n > UINT32_MAX - 4 || n > UINT32_MAX - 4 - s.n)
				return SIZE_MAX;
			n += 4 + s.n;
			break;
		case IPC_fd:
			need(*fd == -1); /* a frame carries one */
			memcpy(fd, field, sizeof *fd);
			n += 1;
			break;
		case IPC_END:
			break;
		}
	}
	need(at <= msg->size);
	return n;
}

char *
wire_write(const struct ipc_msg *msg, const void *m, char *to)
{
	const char *base = m;
	size_t at = 0;

	for (const struct ipc_field *f = msg->fields; f->type != IPC_END; f++) {
		const char *field = base + place(f->type, &at);
		struct span s;
		uint64_t u64;
		uint32_t u32;
		int fd;

		switch (f->type) {
		case IPC_u32:
			memcpy(&u32, field, sizeof u32);
			wire_put32(to, u32);
			to += 4;
			break;
		case IPC_u64:
			memcpy(&u64, field, sizeof u64);
			put64(to, u64);
			to += 8;
			break;
		case IPC_span:
			memcpy(&s, field, sizeof s);
			wire_put32(to, (uint32_t)s.n);
			if (s.n > 0)
				memcpy(to + 4, s.p, s.n);
			to += 4 + s.n;
			break;
		case IPC_fd:
			memcpy(&fd, field, sizeof fd);
			*to++ = fd >= 0;
			break;
		case IPC_END:
			break;
		}
	}
	return to;
}

/* The n octets at the front of *body, or NULL with *e set. */
static const char *
take(struct span *body, size_t n, const struct ipc_msg *msg, const struct ipc_field *f, struct err *e)
{
	const char *p = body->p;

	if (body->n < n) {
		err_set(e, ERR_PEER, "%s.%s: cut off", msg->name, f->name);
		return NULL;
	}
	*body = span_from(*body, n);
	return p;
}

/* One field from *body to `field` (which may be NULL). */
static int
read_field(const struct ipc_msg *msg, const struct ipc_field *f, struct span *body, char *field,
    bool *wants_fd, struct err *e)
{
	const char *p;
	struct span s;
	uint64_t u64;
	uint32_t u32;

	switch (f->type) {
	case IPC_u32:
		if ((p = take(body, 4, msg, f, e)) == NULL)
			return -1;
		u32 = wire_get32(p);
		if (field != NULL)
			memcpy(field, &u32, sizeof u32);
		return 0;
	case IPC_u64:
		if ((p = take(body, 8, msg, f, e)) == NULL)
			return -1;
		u64 = get64(p);
		if (field != NULL)
			memcpy(field, &u64, sizeof u64);
		return 0;
	case IPC_span:
		if ((p = take(body, 4, msg, f, e)) == NULL)
			return -1;
		s.n = wire_get32(p);
		if ((s.p = take(body, s.n, msg, f, e)) == NULL)
			return -1;
		if (field != NULL)
			memcpy(field, &s, sizeof s);
		return 0;
	case IPC_fd:
		if ((p = take(body, 1, msg, f, e)) == NULL)
			return -1;
		if (*p != 0 && *p != 1)
			return err_set(e, ERR_PEER, "%s.%s: neither 0 nor 1", msg->name, f->name);
		*wants_fd = *p == 1;
		return 0;
	case IPC_END:
		break;
	}
	return 0;
}

int
wire_read(const struct ipc_msg *msg, struct span body, void *m, bool *wants_fd, struct err *e)
{
	char *base = m;
	size_t at = 0;

	*wants_fd = false;
	if (m != NULL && msg->size > 0)
		memset(m, 0, msg->size);
	if (m != NULL)
		wire_set_fd(msg, m, -1);
	/* An older sender has fewer fields: its frame ends where a field would begin. */
	for (const struct ipc_field *f = msg->fields; f->type != IPC_END && body.n > 0; f++) {
		size_t offset = place(f->type, &at);

		if (read_field(msg, f, &body, base != NULL ? base + offset : NULL, wants_fd, e) < 0)
			return -1;
	}
	return 0;
}

void
wire_set_fd(const struct ipc_msg *msg, void *m, int fd)
{
	size_t at = 0;

	for (const struct ipc_field *f = msg->fields; f->type != IPC_END; f++) {
		size_t offset = place(f->type, &at);

		if (f->type == IPC_fd)
			memcpy((char *)m + offset, &fd, sizeof fd);
	}
}

int
ipc_pack_(const struct ipc_def *def, struct buf *list, uint32_t number, const void *m, struct err *e)
{
	const struct ipc_msg *msg = wire_msg(def, number);
	size_t n;
	char *to;
	int fd;

	need(msg != NULL);
	n = wire_size(msg, m, &fd);
	if (n > UINT32_MAX - 4)
		return err_set(e, ERR_PEER, "%s: too large", msg->name);
	if ((to = buf_room(list, e, n + 4)) == NULL)
		return -1;
	wire_put32(to, (uint32_t)n);
	wire_write(msg, m, to + 4);
	list->n += n + 4;
	return 0;
}

int
ipc_unpack_(const struct ipc_def *def, struct span *list, uint32_t number, void *m, struct err *e)
{
	const struct ipc_msg *msg = wire_msg(def, number);
	struct span item;
	bool wants_fd;

	need(msg != NULL);
	if (list->n == 0)
		return 0;
	if (list->n < 4)
		return err_set(e, ERR_PEER, "%s: list cut off", msg->name);
	item = span_of(list->p + 4, wire_get32(list->p));
	if (item.n > list->n - 4)
		return err_set(e, ERR_PEER, "%s: list item cut off", msg->name);
	if (wire_read(msg, item, m, &wants_fd, e) < 0)
		return -1;
	*list = span_from(*list, item.n + 4);
	return 1;
}

enum { SHOWN = 64 };

static void
trace_span(const char *name, struct span s, struct buf *out, struct err *e)
{
	if (strcmp(name, "password") == 0 || strcmp(name, "ticket") == 0 || strcmp(name, "hash") == 0) {
		buf_printf(out, e, "(%zu octets)", s.n);
		return;
	}
	buf_byte(out, e, '"');
	for (size_t i = 0; i < s.n && i < SHOWN; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			buf_byte(out, e, (char)c);
		else
			buf_printf(out, e, "\\x%02x", c);
	}
	buf_byte(out, e, '"');
	if (s.n > SHOWN)
		buf_printf(out, e, "...(%zu)", s.n);
}

void
ipc_trace(const struct ipc_def *def, uint32_t number, const void *m, struct buf *out)
{
	const struct ipc_msg *msg = wire_msg(def, number);
	struct err e = { 0 }; /* a line that does not fit is cut */
	const char *base = m;
	size_t at = 0;

	need(msg != NULL);
	buf_printf(out, &e, "%s.%s", def->name, msg->name);
	for (const struct ipc_field *f = msg->fields; f->type != IPC_END; f++) {
		const char *field = base + place(f->type, &at);
		struct span s;
		uint64_t u64;
		uint32_t u32;
		int fd;

		buf_printf(out, &e, " %s=", f->name);
		switch (f->type) {
		case IPC_u32:
			memcpy(&u32, field, sizeof u32);
			buf_u64(out, &e, u32);
			break;
		case IPC_u64:
			memcpy(&u64, field, sizeof u64);
			buf_u64(out, &e, u64);
			break;
		case IPC_span:
			memcpy(&s, field, sizeof s);
			trace_span(f->name, s, out, &e);
			break;
		case IPC_fd:
			memcpy(&fd, field, sizeof fd);
			buf_printf(out, &e, "fd %d", fd);
			break;
		case IPC_END:
			break;
		}
	}
}
