#include "imap/caps.h"

#include "cfg/cfg.h"

/* A row counts in a session that is in one of these states. */
static const struct {
	const char *name;
	unsigned when;
	const char *where;
} rows[] = {
	{ "IMAP4rev1", IMAP_CAPS_BEFORE | IMAP_CAPS_AFTER, "RFC 3501" },
	{ "IMAP4rev2", IMAP_CAPS_BEFORE | IMAP_CAPS_AFTER, "RFC 9051" },
	/* Before login a literal costs us memory for a stranger: at most 4096 octets without being asked. */
	{ "LITERAL-", IMAP_CAPS_BEFORE, "RFC 7888, 5" },
	{ "LITERAL+", IMAP_CAPS_AFTER, "RFC 7888, 4" },
	{ "SASL-IR", IMAP_CAPS_AUTH, "RFC 4959" },
	{ "AUTH=PLAIN", IMAP_CAPS_AUTH, "RFC 4616" },
	{ "AUTH=LOGIN", IMAP_CAPS_AUTH, "draft-murchison-sasl-login" },
	{ "LOGINDISABLED", IMAP_CAPS_NO_AUTH, "RFC 3501, 6.2.3" },
	{ "STARTTLS", IMAP_CAPS_TLS, "RFC 3501, 6.2.1" },
	{ "ID", IMAP_CAPS_BEFORE | IMAP_CAPS_AFTER, "RFC 2971" },
	{ "ENABLE", IMAP_CAPS_BEFORE | IMAP_CAPS_AFTER, "RFC 5161" },
	{ "IDLE", IMAP_CAPS_BEFORE | IMAP_CAPS_AFTER, "RFC 2177" },
	{ "NAMESPACE", IMAP_CAPS_AFTER, "RFC 2342" },
	{ "CHILDREN", IMAP_CAPS_AFTER, "RFC 3348" },
	{ "LIST-EXTENDED", IMAP_CAPS_AFTER, "RFC 5258" },
	{ "LIST-STATUS", IMAP_CAPS_AFTER, "RFC 5819" },
	{ "LIST-MYRIGHTS", IMAP_CAPS_AFTER, "RFC 8440" },
	{ "LIST-METADATA", IMAP_CAPS_AFTER, "RFC 9590" },
	{ "SPECIAL-USE", IMAP_CAPS_AFTER, "RFC 6154" },
	{ "CREATE-SPECIAL-USE", IMAP_CAPS_AFTER, "RFC 6154, 3" },
	{ "METADATA", IMAP_CAPS_AFTER, "RFC 5464" },
	{ "NOTIFY", IMAP_CAPS_AFTER, "RFC 5465" },
	{ "XLIST", IMAP_CAPS_AFTER, "Gmail's, from before RFC 6154" },
	{ "UNAUTHENTICATE", IMAP_CAPS_AFTER, "RFC 8437" },
	{ "UNSELECT", IMAP_CAPS_AFTER, "RFC 3691" },
	{ "ACL", IMAP_CAPS_AFTER, "RFC 4314" },
	{ "RIGHTS=texk", IMAP_CAPS_AFTER, "RFC 4314, 2" },
	{ "UIDPLUS", IMAP_CAPS_AFTER, "RFC 4315" },
	{ "MOVE", IMAP_CAPS_AFTER, "RFC 6851" },
	{ "QUOTA", IMAP_CAPS_AFTER, "RFC 9208, 4.1" },
	{ "QUOTA=RES-STORAGE", IMAP_CAPS_AFTER, "RFC 9208, 5.1" },
	{ "QUOTA=RES-MESSAGE", IMAP_CAPS_AFTER, "RFC 9208, 5.2" },
	{ "QUOTASET", IMAP_CAPS_AFTER, "RFC 9208, 4.1.3" },
	{ "ESEARCH", IMAP_CAPS_AFTER, "RFC 4731" },
	{ "SEARCHRES", IMAP_CAPS_AFTER, "RFC 5182" },
	{ "SORT", IMAP_CAPS_AFTER, "RFC 5256" },
	{ "SORT=DISPLAY", IMAP_CAPS_AFTER, "RFC 5957" },
	{ "THREAD=ORDEREDSUBJECT", IMAP_CAPS_AFTER, "RFC 5256" },
	{ "THREAD=REFERENCES", IMAP_CAPS_AFTER, "RFC 5256" },
	{ "ESORT", IMAP_CAPS_AFTER, "RFC 5267, 3" },
	{ "CONTEXT=SEARCH", IMAP_CAPS_AFTER, "RFC 5267, 4" },
	{ "CONTEXT=SORT", IMAP_CAPS_AFTER, "RFC 5267, 4" },
	{ "MULTISEARCH", IMAP_CAPS_AFTER, "RFC 7377" },
	{ "I18NLEVEL=1", IMAP_CAPS_AFTER, "RFC 5255, 4.4" },
	{ "PARTIAL", IMAP_CAPS_AFTER, "RFC 9394" },
	{ "WITHIN", IMAP_CAPS_AFTER, "RFC 5032" },
	{ "SEARCH=FUZZY", IMAP_CAPS_AFTER, "RFC 6203" },
	{ "CONDSTORE", IMAP_CAPS_AFTER, "RFC 7162" },
	{ "QRESYNC", IMAP_CAPS_AFTER, "RFC 7162" },
	{ "COMPRESS=DEFLATE", IMAP_CAPS_AFTER, "RFC 4978" },
	{ "UTF8=ACCEPT", IMAP_CAPS_AFTER, "RFC 6855" },
	{ "UIDONLY", IMAP_CAPS_AFTER, "RFC 9586" },
	{ "PREVIEW", IMAP_CAPS_AFTER, "RFC 8970" },
	{ "INPROGRESS", IMAP_CAPS_AFTER, "RFC 9585" },
	{ "BINARY", IMAP_CAPS_AFTER, "RFC 3516" },
	{ "MULTIAPPEND", IMAP_CAPS_AFTER, "RFC 3502" },
	{ "CATENATE", IMAP_CAPS_AFTER, "RFC 4469" },
	{ "URL-PARTIAL", IMAP_CAPS_AFTER, "RFC 5550, 2.5" },
	{ "REPLACE", IMAP_CAPS_AFTER, "RFC 8508" },
	{ "OBJECTID", IMAP_CAPS_AFTER, "RFC 8474" },
	{ "SAVEDATE", IMAP_CAPS_AFTER, "RFC 8514" },
	{ "STATUS=SIZE", IMAP_CAPS_AFTER, "RFC 8438" },
	{ "APPENDLIMIT=", IMAP_CAPS_AFTER, "RFC 7889: message_size_max" },
};

/* What stands behind "=" and is configured. */
static int
value(const char *name, struct buf *out, struct err *e)
{
	return name[strlen(name) - 1] == '=' ? buf_u64(out, e, cfg.message_size_max) : 0;
}

int
imap_caps(unsigned state, struct buf *out, struct err *e)
{
	size_t start = out->n;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if ((rows[i].when & state) == 0)
			continue;
		if (out->n > start)
			buf_byte(out, e, ' ');
		if (buf_str(out, e, rows[i].name) < 0 || value(rows[i].name, out, e) < 0)
			return -1;
	}
	return 0;
}
