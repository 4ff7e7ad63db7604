#include "queue/memory.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>

struct span
msg_mid(const struct msg *m)
{
	return span_of(m->mid, ID_LEN);
}

/* Room for one more pointer. */
static void
grow(struct msg ***v, size_t n, size_t *cap)
{
	if (n < *cap)
		return;
	*cap = *cap == 0 ? 64 : *cap * 2;
	*v = mem_resize(*v, *cap * sizeof **v);
}

/* ---- by mid */

/* The first place whose mid is not below `mid`; looked for from the end, where new ones go. */
static size_t
place(const struct msgs *s, struct span mid)
{
	size_t low = 0, high = s->n;

	if (s->n > 0 && span_cmp(msg_mid(s->v[s->n - 1]), mid) < 0)
		return s->n;
	while (low < high) {
		size_t mid_at = low + (high - low) / 2;

		if (span_cmp(msg_mid(s->v[mid_at]), mid) < 0)
			low = mid_at + 1;
		else
			high = mid_at;
	}
	return low;
}

static bool
is_at(const struct msgs *s, size_t i, struct span mid)
{
	return i < s->n && span_same(msg_mid(s->v[i]), mid);
}

struct msg *
msg_new(struct span mid)
{
	struct msg *m = mem_zero(1, sizeof *m);

	need(mid.n == ID_LEN);
	memcpy(m->mid, mid.p, ID_LEN);
	return m;
}

bool
msgs_put(struct msgs *s, struct msg *m)
{
	size_t i = place(s, msg_mid(m));

	if (is_at(s, i, msg_mid(m)))
		return false;
	grow(&s->v, s->n, &s->cap);
	memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof *s->v);
	s->v[i] = m;
	s->n++;
	return true;
}

struct msg *
msgs_find(const struct msgs *s, struct span mid)
{
	size_t i = place(s, mid);

	return is_at(s, i, mid) ? s->v[i] : NULL;
}

struct msg *
msgs_after(const struct msgs *s, struct span mid)
{
	size_t i = mid.n > 0 ? place(s, mid) : 0;

	if (mid.n > 0 && is_at(s, i, mid))
		i++;
	return i < s->n ? s->v[i] : NULL;
}

void
msgs_remove(struct msgs *s, struct msg *m)
{
	size_t i = place(s, msg_mid(m));

	need(i < s->n && s->v[i] == m);
	s->n--;
	memmove(s->v + i, s->v + i + 1, (s->n - i) * sizeof *s->v);
	free(m);
}

void
msgs_free(struct msgs *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct msgs){ 0 };
}

/* ---- by time: a binary heap */

/* Equal times by age of the id, so that what came first goes first. */
static bool
sooner(const struct msg *a, const struct msg *b)
{
	if (a->next_try != b->next_try)
		return a->next_try < b->next_try;
	return memcmp(a->mid, b->mid, ID_LEN) < 0;
}

static void
put(struct heap *h, size_t i, struct msg *m)
{
	h->v[i] = m;
	m->slot = (uint32_t)i;
}

static void
rise(struct heap *h, size_t i, struct msg *m)
{
	for (; i > 0 && sooner(m, h->v[(i - 1) / 2]); i = (i - 1) / 2)
		put(h, i, h->v[(i - 1) / 2]);
	put(h, i, m);
}

static void
sink(struct heap *h, size_t i, struct msg *m)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < h->n && sooner(h->v[child + 1], h->v[child]))
			child++;
		if (child >= h->n || !sooner(h->v[child], m))
			break;
		put(h, i, h->v[child]);
		i = child;
	}
	put(h, i, m);
}

void
heap_add(struct heap *h, struct msg *m)
{
	grow(&h->v, h->n, &h->cap);
	rise(h, h->n++, m);
}

void
heap_remove(struct heap *h, struct msg *m)
{
	struct msg *last;
	size_t i = m->slot;

	need(i < h->n && h->v[i] == m);
	last = h->v[--h->n];
	if (last == m)
		return;
	if (i > 0 && sooner(last, h->v[(i - 1) / 2]))
		rise(h, i, last);
	else
		sink(h, i, last);
}

struct msg *
heap_top(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}

void
heap_free(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

/* ---- reasons */

struct reason {
	struct reason *next;
	size_t uses;
	char text[];
};

void
reasons_init(struct reasons *r)
{
	*r = (struct reasons){ 0 };
	randombytes_buf(r->key, sizeof r->key);
}

static struct reason **
reason_find(struct reasons *r, struct span text)
{
	unsigned char sum[crypto_shorthash_BYTES];
	struct reason **at;

	crypto_shorthash(sum, (const unsigned char *)text.p, text.n, r->key);
	at = &r->bucket[(sum[0] | (size_t)sum[1] << 8) % REASON_BUCKETS];
	while (*at != NULL && !span_eq(text, (*at)->text))
		at = &(*at)->next;
	return at;
}

const char *
reason_keep(struct reasons *r, struct span text)
{
	struct reason **at;

	text = span_head(text, REASON_MAX);
	at = reason_find(r, text);
	if (*at == NULL && r->n >= REASONS_MAX) {
		text = span_word(&text);
		at = reason_find(r, span_head(text, 11));
		text = span_head(text, 11);
	}
	if (*at == NULL) {
		*at = mem_zero(1, sizeof **at + text.n + 1);
		memcpy((*at)->text, text.n > 0 ? text.p : "", text.n);
		r->n++;
	}
	(*at)->uses++;
	return (*at)->text;
}

void
reason_drop(struct reasons *r, const char *text)
{
	struct reason **at, *gone;

	if (text == NULL)
		return;
	at = reason_find(r, span_str(text));
	need(*at != NULL && (*at)->text == text);
	if (--(*at)->uses > 0)
		return;
	gone = *at;
	*at = gone->next;
	r->n--;
	free(gone);
}
