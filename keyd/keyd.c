/*
 * keyd - holds the private TLS keys, and signs with them.
 *
 * smtpd and proxyd, which face strangers, hold certificates only; at each handshake they ask here for one
 * signature (lib/io/remotekey.h). keyd reads the key file before its jail closes, after that it can open
 * nothing, connect nowhere and talk only to who dials it. A new key comes with a reload, by descriptor; the
 * one before stays, for handshakes that began with the old certificate.
 *
 * One loop; a request is a signature of 20 to 300 microseconds, so nothing waits.
 */
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cfg/cfg.h"
#include "io/link.h"
#include "io/remotekey.h"
#include "io/svc.h"
#include "io/tls.h"
#include "ipc/keyd.h"

/* Nothing: the key is in memory, everyone else comes through a door. */
static const struct jail jail = { .calls = JAIL_STDIO };

enum { PEM_MAX = 32 * 1024 }; /* octets of a key's file: RSA of 16384 bits needs 13 KiB */

struct key {
	EVP_PKEY *key;
	unsigned char id[KEYD_ID];
};

/* The key in use, and the one before it. */
static struct key keys[2];

static int
key_take(EVP_PKEY *key, struct err *e)
{
	unsigned char id[KEYD_ID];

	if (remotekey_id(key, id, e) < 0)
		return -1;
	if (keys[0].key != NULL && memcmp(keys[0].id, id, sizeof id) == 0) {
		EVP_PKEY_free(key); /* the same again */
		return 0;
	}
	EVP_PKEY_free(keys[1].key);
	keys[1] = keys[0];
	keys[0].key = key;
	memcpy(keys[0].id, id, sizeof id);
	return 0;
}

static const struct key *
key_find(struct span id)
{
	for (size_t i = 0; i < 2; i++)
		if (keys[i].key != NULL && span_same(id, span_of(keys[i].id, KEYD_ID)))
			return &keys[i];
	return NULL;
}

/* How an asker's request is put to OpenSSL: a wrong combination is refused there. */
static int
prepare(EVP_PKEY_CTX *ctx, const struct key *k, uint32_t how)
{
	int kind = EVP_PKEY_get_base_id(k->key);

	if (EVP_PKEY_sign_init(ctx) <= 0)
		return -1;
	if (how == KEYD_EC)
		return kind == EVP_PKEY_EC ? 0 : -1;
	if (kind != EVP_PKEY_RSA || (how != KEYD_RSA_RAW && how != KEYD_RSA_PKCS1))
		return -1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, how == KEYD_RSA_RAW ? RSA_NO_PADDING : RSA_PKCS1_PADDING) > 0
		   ? 0
		   : -1;
}

static int
sign(const struct keyd_sign *req, struct buf *out, struct err *e)
{
	const struct key *k = key_find(req->key);
	EVP_PKEY_CTX *ctx;
	size_t n;
	char *room;
	int rc = -1;

	if (k == NULL)
		return err_set(e, ERR_PERM, "no key of that id: certificate and key do not belong together?");
	ctx = EVP_PKEY_CTX_new(k->key, NULL);
	n = (size_t)EVP_PKEY_get_size(k->key);
	room = buf_room(out, e, n);
	if (ctx == NULL || room == NULL || prepare(ctx, k, req->how) < 0 ||
	    EVP_PKEY_sign(
		ctx, (unsigned char *)room, &n, (const unsigned char *)req->input.p, req->input.n) <= 0)
		tls_err(e, ERR_PERM, "signature");
	else {
		out->n += n;
		rc = 0;
	}
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

/* ---- channels: a link is all there is to who asks */

static void
gone(struct link *l, const struct err *why)
{
	if (why->kind != ERR_GONE)
		log_event(LOG_WARN, "keyd.drop", KV_ERR(why));
	link_close(l);
	free(l);
}

static void
answer(struct link *l, uint32_t id, const struct keyd_sign *req)
{
	struct keyd_signed rep = { { 0 } };
	struct err why = { 0 };
	struct buf out;

	buf_init(&out, 4096);
	if (sign(req, &out, &why) < 0) {
		log_event(LOG_ERROR, "keyd.refused", KV_ERR(&why));
		link_refuse(l, id, &why);
	} else {
		svc_count("keyd.signatures", 1);
		rep.signature = buf_span(&out);
		link_send(l, keyd_signed, &rep, id);
	}
	buf_free(&out);
}

static bool
got(struct link *l, struct ipc_in *in)
{
	struct keyd_sign req;
	struct err e = { 0 };

	if (ipc_body(in, keyd_sign, &req, &e) < 0) {
		gone(l, &e);
		return false;
	}
	answer(l, in->id, &req);
	return true;
}

static void
dialled(struct svc *s, int fd, enum ipc_role peer)
{
	struct link *l = mem_zero(1, sizeof *l);

	*l = (struct link){ .got = got, .gone = gone };
	link_open(l, svc_loop_of(s), ipc_new(fd, &keyd_def, ROLE_KEYD, peer));
}

/* The key on an open file, which is left open. In a buffer of ours, so that no stdio one keeps a copy. */
static int
key_read(int fd, struct err *e)
{
	char pem[PEM_MAX];
	ssize_t n = pread(fd, pem, sizeof pem, 0);
	BIO *bio = n > 0 ? BIO_new_mem_buf(pem, (int)n) : NULL;
	EVP_PKEY *key;

	if (bio == NULL)
		return err_set(e, ERR_TEMP, "the key's file: %m");
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	explicit_bzero(pem, sizeof pem);
	if (key == NULL)
		return tls_err(e, ERR_PERM, "tls_key");
	return key_take(key, e);
}

static void
reloaded(struct svc *s)
{
	struct err e = { 0 };
	int fd = svc_file(s, "tls_key");

	if (fd >= 0 && key_read(fd, &e) < 0)
		log_event(LOG_ERROR, "keyd.reload", KV_ERR(&e));
}

static void
drain(struct svc *s, bool now)
{
	(void)now;
	svc_end(s); /* askers that still need it are ending as well */
}

int
main(int argc, char **argv)
{
	static const struct svc_loop fns = { .dialled = dialled, .reloaded = reloaded, .drain = drain };
	struct svc *s = svc_start(argc, argv, ROLE_KEYD);
	struct err e = { 0 };
	int fd = svc_open(s, cfg.tls_key);

	if (key_read(fd, &e) < 0) {
		log_event(LOG_ERROR, "keyd.start", KV_ERR(&e));
		log_flush();
		return err_exit(&e);
	}
	close(fd);
	svc_confine(s, &jail);
	return svc_run(s, &fns);
}
