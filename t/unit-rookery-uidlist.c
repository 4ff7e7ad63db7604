/* unit-rookery-uidlist - the files that Dovecot and Courier keep beside a Maildir; names of folders. */
#include "ctl/uidlist.h"
#include "t/tap.h"

static const struct {
	const char *line;
	int rc;
	uint32_t uidvalidity, uidnext;
} heads[] = {
	{ "3 V12 N34 Gabc", 0, 12, 34 },
	{ "3 N34 V12", 0, 12, 34 },
	{ "1 12 34", 0, 12, 34 },
	{ "3 N34", -1, 0, 0 },
	{ "2 12 34", -1, 0, 0 },
	{ "1 12", -1, 0, 0 },
	{ "3 V99999999999 N1", -1, 0, 0 },
	{ "", -1, 0, 0 },
};

static const struct {
	uint32_t version;
	const char *line;
	int rc;
	uint32_t uid;
	const char *name, *uidl;
} entries[] = {
	{ 3, "5 W33 S30 Pid:5 :a.b,S=30:2,S", 0, 5, "a.b,S=30", "id:5" },
	{ 3, "5 :a.b", 0, 5, "a.b", "" },
	{ 1, "5 a.b:2,", 0, 5, "a.b", "" },
	{ 3, "5 a.b", -1, 0, "", "" },
	{ 3, "0 :a.b", -1, 0, "", "" },
	{ 1, "5", -1, 0, "", "" },
	{ 1, "x a", -1, 0, "", "" },
};

static const struct {
	const char *line, *name, *uidl;
} sizes[] = {
	{ "a.b:2,S 16 7:99:0", "a.b", "UID7-99" },
	{ "a.b 16 7:0", "a.b", "UID7" },
	{ "a+b 16 0:0", "a+b", "a+2Bb" },
	{ "a b 16 1:1", "a b", "UID1-1" },
	{ "a 16", NULL, NULL },
	{ "a 16 x:1", NULL, NULL },
};

static const struct {
	const char *in, *out;
} folders[] = {
	{ "Sent", "Sent" },
	{ "Projects.Rook&AC4-y", "Projects/Rook.y" },
	{ "Gr&APY-n.a&-b", "Gr\xc3\xb6n/a&b" },
	{ "Gr\xc3\xb6n", "Gr\xc3\xb6n" },
	{ "a..b", NULL },
	{ "a\xff", NULL },
};

static void
lists(void)
{
	struct uidlist_entry u;
	struct uidlist_head h;
	struct buf text;

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		int rc = uidlist_head(span_str(heads[i].line), &h, &(struct err){ 0 });

		tap_ok(rc == heads[i].rc && (rc < 0 || (h.uidvalidity == heads[i].uidvalidity &&
							   h.uidnext == heads[i].uidnext)),
		    "head: %s", heads[i].line);
	}
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		h.version = entries[i].version;
		int rc = uidlist_entry(&h, span_str(entries[i].line), &u, &(struct err){ 0 });

		tap_ok(rc == entries[i].rc &&
			   (rc < 0 || (u.uid == entries[i].uid && span_eq(u.name, entries[i].name) &&
					  span_eq(u.uidl, entries[i].uidl))),
		    "entry: %s", entries[i].line);
	}
	buf_init(&text, 1000);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		int rc = sizelist_entry(span_str(sizes[i].line), &u, &(struct err){ 0 });

		buf_clear(&text);
		if (rc == 0)
			need(sizelist_uidl(&u, &text, NULL) == 0);
		tap_ok(rc == 0 ? sizes[i].name != NULL && span_eq(u.name, sizes[i].name) &&
				     span_eq(buf_span(&text), sizes[i].uidl)
			       : sizes[i].name == NULL,
		    "POP3: %s", sizes[i].line);
	}
	buf_free(&text);
}

int
main(void)
{
	struct span letters, word;
	struct buf name;
	uint32_t n;

	lists();
	buf_init(&name, 1000);
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
		buf_clear(&name);
		int rc = folder_decode(span_str(folders[i].in), &name, &(struct err){ 0 });

		tap_ok(rc == 0 ? folders[i].out != NULL && span_eq(buf_span(&name), folders[i].out)
			       : folders[i].out == NULL,
		    "folder %zu", i);
	}
	buf_free(&name);
	tap_ok(span_eq(maildir_base(SPAN("a,S=1:2,FS"), &letters), "a,S=1") && span_eq(letters, "FS"),
	    "a name and its flags");
	tap_ok(span_eq(maildir_base(SPAN("a:1,x"), &letters), "a") && letters.n == 0,
	    "flags of another version are none");
	tap_ok(keywords_entry(SPAN("25 $Label1"), &n, &word, &(struct err){ 0 }) == 0 && n == 25 &&
		   span_eq(word, "$Label1"),
	    "a keyword");
	tap_ok(keywords_entry(SPAN("26 a"), &n, &word, &(struct err){ 0 }) < 0, "a letter that is none");
	return tap_done();
}
