/*
 * sign.c - TLS of a service: the certificate is ours, the key is keyd's.
 *
 * Each handshake asks keyd for one signature and waits for it, a loop too: keyd does nothing else and answers
 * in well under a millisecond. When it did not answer in a second, handshakes fail at once for the next few,
 * so that the sessions of a loop are not held up by what they do not need. The channel is dialled when it is
 * first needed, by each process for itself: a session's child must not share its parent's.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cfg/cfg.h"
#include "io/remotekey.h"
#include "io/service.h"
#include "io/tls.h"
#include "ipc/keyd.h"

enum { SIGN_MS = 1000, PAUSE_MS = 3000 };

static struct ipc *
keyd_channel(struct svc *s, struct err *e)
{
	int door = svc_door(s, "keyd"), fd;

	if (s->keyd != NULL)
		return s->keyd;
	if (door < 0) {
		err_set(e, ERR_TEMP, "there is no service keyd");
		return NULL;
	}
	if ((fd = ipc_dial(door, e)) < 0)
		return NULL;
	s->keyd = ipc_new(fd, &keyd_def, s->self, ROLE_KEYD);
	ipc_timeout(s->keyd, SIGN_MS);
	return s->keyd;
}

/* One request. A channel that failed is of no more use. */
static int
ask(struct svc *s, const struct keyd_sign *req, unsigned char *out, size_t *n, struct err *e)
{
	struct ipc *ch = keyd_channel(s, e);
	struct keyd_signed got;

	if (ch == NULL)
		return -1;
	if (clock_mono_ms() < s->keyd_again_ms)
		return err_set(e, ERR_TEMP, "keyd did not answer a moment ago");
	if (ipc_call(ch, keyd_sign, req, keyd_signed, &got, e) < 0) {
		ipc_free(ch);
		s->keyd = NULL;
		if (e->kind == ERR_TEMP)
			s->keyd_again_ms = clock_mono_ms() + PAUSE_MS;
		return -1;
	}
	if (got.signature.n > *n)
		return err_set(e, ERR_PEER, "a signature of %zu octets", got.signature.n);
	memcpy(out, got.signature.p, got.signature.n);
	*n = got.signature.n;
	return 0;
}

static int
sign(void *arg, const unsigned char id[32], uint32_t how, struct span input, unsigned char *out, size_t *n)
{
	struct keyd_sign req = { .key = span_of(id, KEYD_ID), .how = how, .input = input };
	struct err e = { 0 };

	if (ask(arg, &req, out, n, &e) == 0)
		return 0;
	if (e.kind == ERR_GONE) { /* keyd was started anew: its door leads to the new one */
		err_clear(&e);
		if (ask(arg, &req, out, n, &e) == 0)
			return 0;
	}
	log_event(LOG_ERROR, "tls.sign", KV_ERR(&e));
	return -1;
}

static EVP_PKEY *
remote_key(X509 *cert, void *arg, struct err *e)
{
	return remotekey_new(cert, sign, arg, e);
}

struct tls_ctx *
service_tls(struct svc *s, int cert_fd, struct err *e)
{
	return tls_server_key(cert_fd, remote_key, s, e);
}

struct tls_ctx *
svc_tls(struct svc *s)
{
	int cert = svc_open(s, cfg.tls_cert);
	struct err e = { 0 };

	if (svc_door(s, "keyd") < 0)
		err_set(&e, ERR_PERM, "master.cf has no service keyd, which holds the key");
	else
		s->tls = service_tls(s, cert, &e);
	if (s->tls == NULL)
		service_failed("TLS", &e);
	close(cert);
	return s->tls;
}

struct tls_ctx *
svc_tls_now(const struct svc *s)
{
	return s->tls;
}
