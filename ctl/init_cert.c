#include "ctl/init.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "io/tls.h"

enum { DAYS = 3650, SERIAL_LEN = 16, PEM_MAX = 64 * 1024 };

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

/* A serial nobody else has (RFC 5280, 4.1.2.2): positive, at most 20 octets. */
static int
set_serial(X509 *x)
{
	unsigned char octets[SERIAL_LEN];
	BIGNUM *n;
	int ok;

	if (RAND_bytes(octets, sizeof octets) != 1)
		return 0;
	octets[0] &= 0x7f;
	n = BN_bin2bn(octets, sizeof octets, NULL);
	ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
	BN_free(n);
	return ok;
}

static int
fill(X509 *x, EVP_PKEY *key, const struct init *in)
{
	X509_NAME *name = X509_get_subject_name(x);
	char names[2048];

	snprintf(names, sizeof names,
	    "DNS:%s,DNS:%s,DNS:mail.%s,DNS:imap.%s,DNS:smtp.%s,DNS:localhost,IP:127.0.0.1,IP:::1",
	    in->hostname, in->domain, in->domain, in->domain, in->domain);
	/*
	 * A common name has at most 64 characters (RFC 5280, A.1); clients look at the alternative names
	 * anyway.
	 */
	return X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) && X509_set_pubkey(x, key) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		   (const unsigned char *)(strlen(in->hostname) <= 64 ? in->hostname : "mail server"), -1, -1,
		   0) &&
	       X509_set_issuer_name(x, name) && add_extension(x, NID_subject_alt_name, names) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       add_extension(x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
}

static int
take(BIO *from, struct buf *to)
{
	char *p;
	long n = BIO_get_mem_data(from, &p);

	buf_init(to, PEM_MAX);
	return n > 0 && buf_add(to, NULL, span_of(p, (size_t)n)) == 0;
}

int
init_certificate(const struct init *in, struct buf *cert, struct buf *key, struct err *e)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_secmem());
	int rc = 0;

	if (pair == NULL || x == NULL || cert_pem == NULL || key_pem == NULL || !fill(x, pair, in) ||
	    !PEM_write_bio_X509(cert_pem, x) ||
	    !PEM_write_bio_PrivateKey(key_pem, pair, NULL, NULL, 0, NULL, NULL) || !take(cert_pem, cert) ||
	    !take(key_pem, key))
		rc = tls_err(e, ERR_PERM, "certificate");
	BIO_free(cert_pem);
	BIO_free(key_pem);
	X509_free(x);
	EVP_PKEY_free(pair);
	return rc;
}
