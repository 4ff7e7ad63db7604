/*
 * share.c - `rookery share`: who may do what with a mailbox (RFC 4314).
 *
 * The change is made by upkeep, in the owner's store. WHO is an account, group:NAME (or $NAME) or anyone; with - in front
 * what is given is taken away, whatever other entries say. ROLE is a word or letters (rights_of_role).
 */
#include <stdio.h>

#include "ctl/accounts.h"
#include "ctl/stores.h"
#include "store/acl.h"

struct share {
	struct ctl *c;
	const char *word, *to, *as, *user;
	bool below;
	struct place place;
	struct arena *a;
	struct json j;
	struct columns *t;
};

/* ---- who */

/* In the form of the store. -1: ERR_PERM there is nobody of that name. */
static int
find_who(struct share *s, unsigned rights, struct span *out, struct span *account, struct err *e)
{
	struct authd_identifier ask = { 0 };
	struct authd_identifier_answer who;
	bool negative = false;
	struct ipc *ch = NULL;
	int rc = -1;

	if (acl_who_parse(span_str(s->to), &negative, &ask.who, s->a, e) == 0 &&
	    (ch = ctl_dial(s->c, "authd", &authd_def, e)) != NULL)
		rc = ipc_call(ch, authd_identifier, &ask, authd_identifier_answer, &who, e);
	if (rc == 0 && (who.who.n == 0 || (who.known == 0 && rights != 0)))
		rc = err_set(e, ERR_PERM, "%s: no such account or group", s->to);
	if (rc == 0) {
		bool owner = who.owner.n > 0 && span_eq(who.owner, s->place.owner);

		*out = arena_printf(
		    s->a, "%s%.*s", negative ? "-" : "", SPAN_ARG(owner ? SPAN("owner") : who.who));
		*account = owner ? SPAN("") : arena_dup(s->a, who.owner);
	}
	ipc_free(ch);
	return rc;
}

/* ---- showing */

static int
show_entry(void *arg, struct ipc_in *in, struct err *e)
{
	struct share *s = arg;
	struct upkeep_entry m;
	struct buf text;

	if (ipc_body(in, upkeep_entry, &m, e) < 0)
		return -1;
	buf_init(&text, 64);
	rights_put(m.rights, false, &text, e);
	if (s->t == NULL) {
		json_object(&s->j, NULL);
		json_text(&s->j, "mailbox", m.name);
		json_text(&s->j, "who", m.who);
		json_text(&s->j, "rights", buf_span(&text));
		json_close(&s->j);
	} else {
		columns_cell(s->t, m.name);
		columns_cell(s->t, m.who);
		columns_cell(s->t, text.n > 0 ? buf_span(&text) : SPAN("-"));
	}
	buf_free(&text);
	return 0;
}

static int
ask(struct share *s, const struct upkeep_acl *m, struct err *e)
{
	struct upkeep_done done;
	struct ipc *ch = place_open(s->c, &s->place, e);
	int rc;

	if (ch == NULL)
		return -1;
	json_begin(&s->j, stdout);
	if (s->c->json)
		json_array(&s->j, NULL);
	else
		s->t = columns_new("lll");
	rc = stores_ask(ch, upkeep_acl, m, show_entry, s, &done, e);
	if (s->c->json)
		json_close(&s->j);
	else if (rc == 0)
		columns_print(s->t);
	else
		columns_free(s->t);
	ipc_free(ch);
	return rc;
}

/* ---- doing */

/* --user OWNER: the mailbox is named without the owner in front. */
static const char *
full_name(struct share *s)
{
	return s->user == NULL ? s->word : arena_cstr(s->a, arena_printf(s->a, "%s/%s", s->user, s->word));
}

static int
run(struct share *s, struct err *e)
{
	struct upkeep_acl m = { .op = ACL_SET, .below = s->below };
	const char *name = full_name(s);
	unsigned rights = 0;

	if (s->as != NULL && rights_of_role(span_str(s->as), &rights, e) < 0)
		return -1;
	if (place_find(s->c, name, &s->place, e) < 0)
		return -1;
	m.name = s->place.mailbox;
	m.rights = rights;
	if (m.name.n == 0 && s->place.owner[0] == '+')
		m.name = SPAN("INBOX"); /* the root of a tree */
	if (m.name.n == 0)
		return err_set(e, ERR_PERM, "%s: which mailbox? Name it as USER/MAILBOX", name);
	if (s->to != NULL && find_who(s, rights, &m.who, &m.account, e) < 0)
		return -1;
	return ask(s, &m, e);
}

static int
parse(struct share *s, int argc, char **argv)
{
	bool missing = false;

	for (int i = 1; i < argc; i++) {
		const char *v;

		if ((v = option(argc, argv, &i, "--to", &missing)) != NULL)
			s->to = v;
		else if ((v = option(argc, argv, &i, "--as", &missing)) != NULL)
			s->as = v;
		else if ((v = option(argc, argv, &i, "--user", &missing)) != NULL)
			s->user = v;
		else if (strcmp(argv[i], "--below") == 0)
			s->below = true;
		else if (s->word == NULL && argv[i][0] != '-')
			s->word = argv[i];
		else
			return ctl_misuse("share: what is `%s`?", argv[i]);
	}
	return missing || s->word == NULL || (s->to == NULL) != (s->as == NULL) ? EX_USAGE : 0;
}

int
ctl_share(struct ctl *c, int argc, char **argv)
{
	struct share s = { .c = c };
	struct err e = { 0 };
	int rc = parse(&s, argc, argv);

	if (rc != 0)
		return rc;
	s.a = arena_new(1 << 20);
	rc = run(&s, &e);
	place_free(&s.place);
	arena_free(s.a);
	if (rc == 0)
		return 0;
	if (e.kind == ERR_PEER)
		e.kind = ERR_PERM;
	return ctl_fail(&e);
}
