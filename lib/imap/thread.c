/*
 * Threads. A node is a message, or a message that is only known from references (a dummy, `message` is NONE). All links
 * are indexes into one array; children are known by their parents alone until the end, when one walk over the messages in
 * the order of their dates makes sorted lists of them.
 */
#include "imap/thread.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/utf8.h"

enum {
	NONE = UINT32_MAX,
	ID = crypto_shorthash_siphashx24_BYTES,
	WALK = 64, /* steps up the references that are looked for loops, for each message and id */
};

struct digest {
	unsigned char octets[ID];
};

struct node {
	uint32_t parent;
	uint32_t group;   /* of the union of all that was ever linked: an index, its own at the top */
	uint32_t kids;    /* how many have it as parent */
	uint32_t message; /* index in t->message, or NONE */
	struct digest id; /* by which it is found, if it has one */

	/* At the end. */
	uint32_t first, last, next; /* children; the next of the same parent */
};

struct entry {
	uint32_t number, node;
	int64_t date;
	struct digest subject;
	bool reply, no_subject;
};

struct threads {
	struct entry *message;
	uint32_t n, max;
	struct node *node;
	uint32_t nodes, node_cap;
	uint32_t *slot; /* of the hash table of ids: node, or NONE; a power of two, at most half full */
	uint32_t slots, ids;
	uint64_t walk; /* steps that are left */
	unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	uint32_t *order; /* messages by date */
	uint32_t *root;  /* nodes at the top, in order */
	uint32_t roots;
};

struct threads *
threads_new(uint32_t max)
{
	struct threads *t = mem_zero(1, sizeof *t);

	t->max = max;
	t->message = mem_zero((size_t)max + 1, sizeof *t->message);
	t->slots = 1024;
	t->slot = mem_resize(NULL, t->slots * sizeof *t->slot);
	memset(t->slot, 0xff, t->slots * sizeof *t->slot);
	randombytes_buf(t->key, sizeof t->key);
	return t;
}

void
threads_free(struct threads *t)
{
	if (t == NULL)
		return;
	free(t->message);
	free(t->node);
	free(t->slot);
	free(t->order);
	free(t->root);
	free(t);
}

/* ---- nodes and their ids */

static struct digest
digest(const struct threads *t, struct span s)
{
	struct digest d;

	crypto_shorthash_siphashx24(d.octets, (const unsigned char *)s.p, s.n, t->key);
	return d;
}

static bool
same(const struct digest *a, const struct digest *b)
{
	return memcmp(a->octets, b->octets, ID) == 0;
}

static uint32_t
new_node(struct threads *t)
{
	if (t->nodes == t->node_cap) {
		t->node_cap = t->node_cap < 512 ? 1024 : t->node_cap * 2;
		t->node = mem_resize(t->node, t->node_cap * sizeof *t->node);
	}
	t->node[t->nodes] = (struct node){
		.parent = NONE,
		.group = t->nodes,
		.message = NONE,
		.first = NONE,
		.last = NONE,
		.next = NONE,
	};
	t->walk += WALK;
	return t->nodes++;
}

/* Where the id is in the table, or the free slot for it. */
static uint32_t *
slot_of(struct threads *t, const struct digest *id)
{
	uint32_t at;

	memcpy(&at, id->octets, sizeof at);
	for (at &= t->slots - 1; t->slot[at] != NONE; at = (at + 1) & (t->slots - 1))
		if (same(&t->node[t->slot[at]].id, id))
			break;
	return &t->slot[at];
}

static void
grow_table(struct threads *t)
{
	uint32_t *old = t->slot, n = t->slots;

	t->slots *= 2;
	t->slot = mem_resize(NULL, t->slots * sizeof *t->slot);
	memset(t->slot, 0xff, t->slots * sizeof *t->slot);
	for (uint32_t i = 0; i < n; i++)
		if (old[i] != NONE)
			*slot_of(t, &t->node[old[i]].id) = old[i];
	free(old);
}

/* The node of an id; made if there is none. */
static uint32_t
node_of(struct threads *t, struct span text)
{
	struct digest id = digest(t, text);
	uint32_t *slot;

	if (t->ids >= t->slots / 2)
		grow_table(t);
	slot = slot_of(t, &id);
	if (*slot == NONE) {
		*slot = new_node(t);
		t->node[*slot].id = id;
		t->ids++;
	}
	return *slot;
}

/* ---- links (RFC 5256, REFERENCES, step 1) */

static uint32_t
group_of(struct threads *t, uint32_t n)
{
	while (t->node[n].group != n) {
		t->node[n].group = t->node[t->node[n].group].group;
		n = t->node[n].group;
	}
	return n;
}

/*
 * Is `child`, which has no parent, above `n`? What has no children is above nothing; what was never linked together is not
 * either. Only the rest is walked up, and when all steps are used up the answer is yes: who makes them needed has no thread
 * worth keeping.
 */
static bool
is_above(struct threads *t, uint32_t child, uint32_t n)
{
	if (n == child)
		return true;
	if (t->node[child].kids == 0 || group_of(t, child) != group_of(t, n))
		return false;
	for (; t->node[n].parent != NONE; n = t->node[n].parent)
		if (t->walk == 0 || t->walk-- == 0)
			return true;
	return n == child;
}

/* Unless it would make a loop. */
static void
link_to(struct threads *t, uint32_t parent, uint32_t child)
{
	if (is_above(t, child, parent))
		return;
	t->node[child].parent = parent;
	t->node[parent].kids++;
	t->node[group_of(t, child)].group = group_of(t, parent);
}

static void
unlink_node(struct threads *t, uint32_t child)
{
	uint32_t parent = t->node[child].parent;

	if (parent != NONE)
		t->node[parent].kids--;
	t->node[child].parent = NONE;
}

/* Each of the references is the parent of the next, if that has none yet. Gives the last, or NONE. */
static uint32_t
link_references(struct threads *t, struct span references)
{
	uint32_t before = NONE;

	while (references.n > 0) {
		uint32_t n = node_of(t, span_cut(&references, '\0'));

		if (before != NONE && t->node[n].parent == NONE)
			link_to(t, before, n);
		before = n;
	}
	return before;
}

/* A message without an id, or with one that another has, is known by none (step 1A). */
static uint32_t
own_node(struct threads *t, struct span id)
{
	uint32_t n = id.n > 0 ? node_of(t, id) : new_node(t);

	return t->node[n].message == NONE ? n : new_node(t);
}

int
threads_add(struct threads *t, const struct thread_message *m, struct err *e)
{
	struct entry *x = &t->message[t->n];
	struct buf folded;
	uint32_t last;
	int rc;

	need(t->n < t->max);
	*x = (struct entry){ m->number, NONE, m->date, { { 0 } }, m->reply, m->subject.n == 0 };
	buf_init(&folded, UTF8_FOLD_GROWS * (m->subject.n + 1));
	if ((rc = utf8_fold(m->subject, &folded, e)) == 0)
		x->subject = digest(t, buf_span(&folded));
	buf_free(&folded);
	if (rc < 0)
		return -1;
	x->node = own_node(t, m->message_id);
	t->node[x->node].message = t->n++;
	last = link_references(t, m->references);
	unlink_node(t, x->node); /* what others' references said of it counts no more (step 1C) */
	if (last != NONE)
		link_to(t, last, x->node);
	return 0;
}

/* ---- order */

static bool
earlier(const struct threads *t, uint32_t a, uint32_t b)
{
	const struct entry *x = &t->message[a], *y = &t->message[b];

	return x->date != y->date ? x->date < y->date : a < b;
}

static int
by_date(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x == y ? 0 : earlier(arg, x, y) ? -1 : 1;
}

static void
order_messages(struct threads *t)
{
	t->order = mem_zero((size_t)t->n + 1, sizeof *t->order);
	for (uint32_t i = 0; i < t->n; i++)
		t->order[i] = i;
	qsort_r(t->order, t->n, sizeof *t->order, by_date, t);
}

/* Children to their parents and the rest to the top, both in the order of dates. A dummy comes where its first child does. */
static void
make_lists(struct threads *t)
{
	t->root = mem_zero((size_t)t->nodes + 1, sizeof *t->root);
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t n = t->message[t->order[i]].node, parent = t->node[n].parent;
		struct node *p;

		if (parent == NONE) {
			t->root[t->roots++] = n;
			continue;
		}
		p = &t->node[parent];
		if (p->first == NONE) {
			p->first = n;
			if (p->message == NONE)
				t->root[t->roots++] = parent;
		} else {
			t->node[p->last].next = n;
		}
		p->last = n;
	}
}

/* ---- ORDEREDSUBJECT */

void
threads_by_subject(struct threads *t)
{
	struct node *first;

	order_messages(t);
	t->nodes = 0; /* references say nothing here */
	t->ids = 0;
	memset(t->slot, 0xff, t->slots * sizeof *t->slot);
	for (uint32_t i = 0; i < t->n; i++)
		t->message[i].node = NONE;
	for (uint32_t i = 0; i < t->n; i++) { /* the earliest of each subject is the parent of the others */
		struct entry *x = &t->message[t->order[i]];
		uint32_t *slot;

		if (t->ids >= t->slots / 2)
			grow_table(t);
		slot = slot_of(t, &x->subject);
		x->node = new_node(t);
		first = &t->node[x->node];
		first->message = t->order[i];
		first->id = x->subject;
		if (*slot == NONE) {
			*slot = x->node;
			t->ids++;
		} else {
			first->parent = *slot;
			t->node[*slot].kids++;
		}
	}
	make_lists(t);
}

/* ---- REFERENCES, steps 2 and 3: dummies go, but for those at the top that hold several together */

/*
 * For each node the one that takes its children: itself if it is a message, else the nearest message above, else the
 * topmost dummy. `path` has room for all nodes.
 */
static void
find_holders(struct threads *t, uint32_t *holder, uint32_t *path)
{
	memset(holder, 0xff, t->nodes * sizeof *holder);
	for (uint32_t i = 0; i < t->nodes; i++) {
		uint32_t at = i, depth = 0, found;

		while (holder[at] == NONE && t->node[at].message == NONE && t->node[at].parent != NONE) {
			path[depth++] = at;
			at = t->node[at].parent;
		}
		found = holder[at] != NONE ? holder[at] : at;
		holder[at] = found;
		while (depth > 0)
			holder[path[--depth]] = found;
	}
}

static void
prune(struct threads *t)
{
	uint32_t *holder = mem_zero((size_t)t->nodes + 1, sizeof *holder);
	uint32_t *path = mem_zero((size_t)t->nodes + 1, sizeof *path);

	find_holders(t, holder, path);
	for (uint32_t i = 0; i < t->nodes; i++)
		t->node[i].kids = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		struct node *x = &t->node[t->message[i].node];

		if (x->parent != NONE) {
			x->parent = holder[x->parent];
			t->node[x->parent].kids++;
		}
	}
	for (uint32_t i = 0; i < t->n; i++) {
		struct node *x = &t->node[t->message[i].node];
		uint32_t p = x->parent;

		if (p != NONE && t->node[p].message == NONE && t->node[p].kids == 1) { /* an only child */
			t->node[p].kids = 0;
			x->parent = NONE;
		}
	}
	free(path);
	free(holder);
}

/* ---- REFERENCES, steps 4 and 5: threads with the same subject come together */

/* A thread at the top, by its first message. */
struct top {
	uint32_t node;
	uint32_t speaker; /* the message that gives it its date and subject */
};

/* The tops in order of their dates (step 4). Gives how many. */
static uint32_t
list_tops(const struct threads *t, struct top *top)
{
	char *seen = mem_zero((size_t)t->nodes + 1, 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t node = t->message[t->order[i]].node, parent = t->node[node].parent;

		if (parent == NONE)
			top[n++] = (struct top){ node, t->order[i] };
		else if (t->node[parent].message == NONE && !seen[parent]) {
			seen[parent] = 1;
			top[n++] = (struct top){ parent, t->order[i] };
		}
	}
	free(seen);
	return n;
}

/* Tops by subject, for each the index of the one that stands in the table; and the dummies that were emptied. */
struct gathering {
	struct threads *t;
	struct top *top;
	uint32_t n;
	uint32_t *slot, slots; /* the table: index of a top, or NONE */
	uint32_t *into;        /* of nodes: the dummy that took over its children, or NONE */
};

static uint32_t *
subject_slot(struct gathering *g, const struct digest *subject)
{
	uint32_t at;

	memcpy(&at, subject->octets, sizeof at);
	for (at &= g->slots - 1; g->slot[at] != NONE; at = (at + 1) & (g->slots - 1))
		if (same(&g->t->message[g->top[g->slot[at]].speaker].subject, subject))
			break;
	return &g->slot[at];
}

static bool
is_dummy(const struct gathering *g, const struct top *x)
{
	return g->t->node[x->node].message == NONE;
}

static bool
is_reply(const struct gathering *g, const struct top *x)
{
	return !is_dummy(g, x) && g->t->message[x->speaker].reply;
}

/* Step 5B: who stands for a subject: a dummy rather than a message, a message rather than a reply. */
static void
fill_subjects(struct gathering *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct top *x = &g->top[i], *old;
		uint32_t *slot;

		if (g->t->message[x->speaker].no_subject)
			continue;
		slot = subject_slot(g, &g->t->message[x->speaker].subject);
		old = *slot != NONE ? &g->top[*slot] : NULL;
		if (old == NULL ||
		    (!is_dummy(g, old) && (is_dummy(g, x) || (is_reply(g, old) && !is_reply(g, x)))))
			*slot = i;
	}
}

static void
adopt(struct gathering *g, uint32_t parent, uint32_t child)
{
	g->t->node[child].parent = parent;
	g->t->node[parent].kids++;
}

/* Step 5C: x comes together with `old`, which stands in the table. */
static void
join(struct gathering *g, struct top *old, const struct top *x)
{
	if (is_dummy(g, old) && is_dummy(g, x)) {
		g->into[x->node] = old->node;
	} else if (is_dummy(g, old) || (is_reply(g, x) && !is_reply(g, old))) {
		adopt(g, old->node, x->node);
	} else {
		uint32_t both = new_node(g->t);

		adopt(g, both, old->node);
		adopt(g, both, x->node);
		old->node = both;
	}
}

/* Messages whose dummy was emptied go to the one that took over. */
static void
move_children(struct gathering *g, uint32_t nodes)
{
	for (uint32_t i = 0; i < g->t->n; i++) {
		struct node *x = &g->t->node[g->t->message[i].node];

		if (x->parent != NONE && x->parent < nodes && g->into[x->parent] != NONE) {
			x->parent = g->into[x->parent];
			g->t->node[x->parent].kids++;
		}
	}
}

static void
gather_subjects(struct threads *t)
{
	struct gathering g = { .t = t, .slots = 1024 };
	uint32_t nodes = t->nodes;

	g.top = mem_zero((size_t)t->n + 1, sizeof *g.top);
	g.n = list_tops(t, g.top);
	while (g.slots / 2 < g.n)
		g.slots *= 2;
	g.slot = mem_resize(NULL, g.slots * sizeof *g.slot);
	memset(g.slot, 0xff, g.slots * sizeof *g.slot);
	g.into = mem_resize(NULL, ((size_t)nodes + 1) * sizeof *g.into);
	memset(g.into, 0xff, ((size_t)nodes + 1) * sizeof *g.into);
	fill_subjects(&g);
	for (uint32_t i = 0; i < g.n; i++) {
		uint32_t in_table;

		if (t->message[g.top[i].speaker].no_subject)
			continue;
		in_table = *subject_slot(&g, &t->message[g.top[i].speaker].subject);
		if (in_table != i)
			join(&g, &g.top[in_table], &g.top[i]);
	}
	move_children(&g, nodes);
	free(g.into);
	free(g.slot);
	free(g.top);
}

void
threads_by_references(struct threads *t)
{
	order_messages(t);
	prune(t);
	gather_subjects(t);
	make_lists(t); /* step 6 */
}

/* ---- the answer (RFC 5256, 5: thread-data) */

/* One thread, without recursion: up again from each end to the next sibling that is not told yet. */
static int
format_thread(const struct threads *t, uint32_t root, struct buf *out, struct err *e)
{
	uint32_t at = root;
	bool space = false;

	buf_byte(out, e, '(');
	for (;;) {
		const struct node *x = &t->node[at];

		if (x->message != NONE) {
			if (space)
				buf_byte(out, e, ' ');
			if (buf_u64(out, e, t->message[x->message].number) < 0)
				return -1;
			space = true;
		}
		if (x->first != NONE) {
			if (x->kids > 1) {
				buf_str(out, e, space ? " (" : "(");
				space = false;
			}
			at = x->first;
			continue;
		}
		while (at != root && t->node[at].next == NONE) {
			at = t->node[at].parent;
			if (t->node[at].kids > 1)
				buf_byte(out, e, ')');
		}
		if (at == root)
			return buf_byte(out, e, ')');
		buf_str(out, e, ")(");
		space = false;
		at = t->node[at].next;
	}
}

int
threads_format(const struct threads *t, struct buf *out, struct err *e)
{
	if (t->roots > 0)
		buf_byte(out, e, ' ');
	for (uint32_t i = 0; i < t->roots; i++)
		if (format_thread(t, t->root[i], out, e) < 0)
			return -1;
	return 0;
}
