/*
 * unit-pw - password schemes. The hashes for "s3cret é" were made by Python's hashlib and crypt, by
 * openssl passwd and by the reference implementation of Argon2; those for "test" are Dovecot's.
 */
#include <sodium.h>

#include "pw/pw.h"
#include "t/tap.h"

static const char *const right[] = {
	"{PLAIN-MD5}a75d5f2e802235870bd65c4e7cc66481",
	"{LDAP-MD5}p11fLoAiNYcL1lxOfMZkgQ==",
	"{MD5}a75d5f2e802235870bd65c4e7cc66481",
	"{MD5}p11fLoAiNYcL1lxOfMZkgQ==",
	"{SMD5}cxKKFkHn4fU7X9al0hnnsnNhbHRzYWx0",
	"{SHA}KhZ1Vc2++p3skRshFI8qdPsViZI=",
	"{SHA}2a167555cdbefa9dec911b21148f2a74fb158992",
	"{SHA.hex}2a167555cdbefa9dec911b21148f2a74fb158992",
	"{SSHA}gFWGGgzYeq3BZNj2zvh4UyVZDAdzYWx0c2FsdA==",
	"{SSHA.HEX}8055861a0cd87aadc164d8f6cef8785325590c0773616c7473616c74",
	"{SHA256}5RFVxhjFxDjT7zPOxlClATMoybaVChK9WWU751cZBHU=",
	"{SHA256}e51155c618c5c438d3ef33cec650a5013328c9b6950a12bd59653be757190475",
	"{SHA256.hex}e51155c618c5c438d3ef33cec650a5013328c9b6950a12bd59653be757190475",
	"{SSHA256}ZH+FHOUh3wRbqavw2ODbEkbGXnwqL1YX8IropkU4LAJzYWx0c2FsdA==",
	"{SSHA256.HEX}647f851ce521df045ba9abf0d8e0db1246c65e7c2a2f5617f08ae8a645382c0273616c7473616c74",
	"{SHA512}OiW1CGFPeB+gyP5V3bkAXaggAH6oFSRKTI3yAepCApzFhwyMiKD7IjIK5xK+QwBB8VePZi1CINukAMy2yav6cw==",
	"{SHA512}3a25b508614f781fa0c8fe55ddb9005da820007ea815244a4c8df201ea42029cc5870c8c88a0fb22320ae712be430041f1578f662d4220dba400ccb6c9abfa73",
	"{SHA512.hex}3a25b508614f781fa0c8fe55ddb9005da820007ea815244a4c8df201ea42029cc5870c8c88a0fb22320ae712be430041f1578f662d4220dba400ccb6c9abfa73",
	"{SSHA512}czmgyrK8oT24zouBzrwLlTa6s32a3pBrbgUPXhtfFT8kKN5EHA3jESY5T9fAxH5GTkjzJRrv+e9lIj4D44VO9XNhbHRzYWx0",
	"{SSHA512.HEX}7339a0cab2bca13db8ce8b81cebc0b9536bab37d9ade906b6e050f5e1b5f153f2428de441c0de31126394fd7c0c47e464e48f3251aeff9ef65223e03e3854ef573616c7473616c74",
	"{SHA1}KhZ1Vc2++p3skRshFI8qdPsViZI=",
	"{CRYPT}abw1tSBs1hgx.",
	"{DES-CRYPT}zzBSsomoKdTOg",
	"{MD5-CRYPT}$1$abcdefgh$drYXzU9cbSq2wkyOepvrY1",
	"{MD5}$1$xyz$KY0qLy5NCXkZFnrd7gzN60",
	"{SHA256-CRYPT}$5$saltstring$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1C",
	"{SHA256-CRYPT}$5$rounds=1000$saltstring$pWYEDOPiEiwkBBwKmz..dO5MSUbvsUodwrLyjCDAm21",
	"{SHA512-CRYPT}$6$saltstring$K8r6HXOc2hISNNeF3MNwZaMrAi0vE/Y4txGQrxp7rF01gp7p6l5PAgbDlXf.hYvFsenBM7pnqdCRLa72mke141",
	"{CRYPT}$6$rounds=1234$x$J4oqN34XmkMql/XhdM6.5nvZZNI19KXIt9GnjFmT9g4N4XI8295eK9T0cIX7PzhNEcgrlCVDM7ez6qNhrK0Cj/",
	"{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuPfjEwYVmkQydAslsg08BCLvBVgQz/lC",
	"{CRYPT}$2b$04$abcdefghijklmnopqrstuukU214IMVbaMkSgMU.i5Pi9.e0MbTwhO",
	"{CRYPT}$y$j75$saltsalt$MgWLWBqZ1z535QzesNF/ss2NY7zVLOZF/1Ov5RwKXE5",
	"{SHA512-CRYPT}$6$openssl$6DziTXkNZBWCpDpvjDBLcmJEYGF0p.dz4RBEFNz0eQ3BHlBIOCj2AdhlwHS4yyr0KP8gPYa2TwYOX4LfWC1LC/",
	"{PBKDF2}$1$0123456789abcdef$1$b01e3d2cd7dbedce29e8d2a5fe57e25ee30716dc",
	"{PBKDF2}$1$0123456789abcdef$5000$c247154901f9bbfc9dab9736d9373ee4c2059144",
	"{SCRAM-SHA-1}4096,AAFzYWx0c2FsdA==,1KAVnH3e2mChtZOXjTS89a+dwQw=,eGciBp1S28CvV0HQPjlMvthpGdQ=",
	"{SCRAM-SHA-256}4096,AAFzYWx0c2FsdA==,6fwqxsEKTQa1U1CpCzXIE78rSpY2d8M+yqPrQ066VyQ=,DDTycxWMZPh159DF+SHvwgshw7qIWOy4C14DfjZfioo=",
	"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$OhZ2nXyvcyfPR82QBsCbOZM+D0jrS5dSn3TeH2z9SNE",
	"{ARGON2I}$argon2i$v=19$m=64,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGAEK0h+xGA",
	"{ARGON2ID}$argon2id$v=19$m=256,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdA$vluq503Tqizrix25Ipsgj4vWIx59IDEGP4fP4aajN9A",
	"{PLAIN.b64}czNjcmV0IMOp",
	"{cleartext.HEX}73336372657420c3a9",
};

static const char *const dovecots[] = {
	"{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a",
	"{SCRAM-SHA-1}4096,GetyLXdBuHzf1FWf8SLz2Q==,NA/OqmF4hhrsrB9KR7po+dliTGM=,QBiURvQaE6H6qYTmeghDHLANBFQ=",
	"{SCRAM-SHA-256}4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=",
	"{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k",
};

static const struct {
	const char *hash, *says;
} refused[] = {
	{ "", "no {SCHEME}" },
	{ "secret", "no {SCHEME}" },
	{ "{}secret", "no {SCHEME}" },
	{ "{SHA", "no {SCHEME}" },
	{ "{CRAM-MD5}00", "{CRAM-MD5} is not a supported" },
	{ "{SHA.ROT13}00", "unknown encoding .ROT13" },
	{ "{PLAIN}", "empty password" },
	{ "{PLAIN.b64}AAAA", "NUL" },
	{ "{SHA}KhZ1Vc2++p3skRshFI8qdPsViZ", "not base64" },
	{ "{SHA}KhZ1Vc2++p3skRshFI8qdPsV", "18 octets where 20" },
	{ "{SHA.HEX}2a1", "not hex" },
	{ "{SSHA}KhZ1Vc2++p3skRshFI8qdPsViZI=", "no salt" },
	{ "{SHA512-CRYPT}$5$saltstring$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1C", "start with $6$" },
	{ "{SHA256-CRYPT}$5$saltstring$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1",
	    "42 characters where 43" },
	{ "{SHA256-CRYPT}$5$rounds=999999999$x$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1C",
	    "rounds outside" },
	{ "{SHA256-CRYPT}$5$rounds=4294968296$x$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1C",
	    "rounds outside" },
	{ "{SHA256-CRYPT}$5$saltsaltsaltsaltsalt$YikbhlxpkX6yRLJyxGt6NCxdSvn21iYYOsXumep7M1C", "at most 16" },
	{ "{SHA256-CRYPT}$5$", "salt" },
	{ "{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuuPfjEwYVmkQydAslsg08BCLvBVgQz/lC", "cost outside 4..16" },
	{ "{BLF-CRYPT}$2y$05$abc", "3 characters where 53" },
	{ "{BLF-CRYPT}$2z$05$abcdefghijklmnopqrstuuPfjEwYVmkQydAslsg08BCLvBVgQz/lC", "not supported" },
	{ "{CRYPT}*", "1 characters where 13" },
	{ "{CRYPT}$3$$8846f7eaee8fb117ad06bdd830b7586c", "not supported" },
	{ "{CRYPT}$y$jzT$saltsalt$MgWLWBqZ1z535QzesNF/ss2NY7zVLOZF/1Ov5RwKXE5", "out of range" },
	{ "{PBKDF2}$1$salt$0$b01e3d2cd7dbedce29e8d2a5fe57e25ee30716dc", "rounds outside" },
	{ "{PBKDF2}$1$salt$99999999999$b01e3d2cd7dbedce29e8d2a5fe57e25ee30716dc", "rounds outside" },
	{ "{PBKDF2}$1$salt$1$b01e3d2cd7dbedce29e8d2a5fe57e25ee307", "40 hex digits" },
	{ "{SCRAM-SHA-1}0,AAFzYWx0c2FsdA==,1KAVnH3e2mChtZOXjTS89a+dwQw=,eGciBp1S28CvV0HQPjlMvthpGdQ=",
	    "iterations" },
	{ "{SCRAM-SHA-1}4096,,1KAVnH3e2mChtZOXjTS89a+dwQw=,eGciBp1S28CvV0HQPjlMvthpGdQ=", "salt" },
	{ "{SCRAM-SHA-256}4096,AAFz,1KAVnH3e2mChtZOXjTS89a+dwQw=,eGciBp1S28CvV0HQPjlMvthpGdQ=",
	    "stored key" },
	{ "{SCRAM-SHA-1}4096,AAFz,1KAVnH3e2mChtZOXjTS89a+dwQw=", "server key" },
	{ "{ARGON2ID}$argon2i$v=19$m=64,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGAEK0h",
	    "start with" },
	{ "{ARGON2I}$argon2i$v=19$m=64,t=65,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGAEK0h",
	    "costs" },
	{ "{ARGON2I}$argon2i$v=19$m=1048577,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGA",
	    "costs" },
	{ "{ARGON2I}$argon2i$v=19$m=1048576,t=9,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGA",
	    "costs" },
	{ "{ARGON2I}$argon2i$v=19$m=64,t=1,p=1,x=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGA",
	    "costs" },
	{ "{ARGON2I}$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$", "key" },
	{ "{ARGON2I}$argon2i$v=19$m=64,t=1,p=1$!$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGA", "salt" },
};

static const struct {
	const char *hash;
	bool cheap;
} costs[] = {
	{ "{PLAIN}x", true },
	{ "{SSHA512.HEX}00", false }, /* no hash at all: nothing to run */
	{ "{SHA}KhZ1Vc2++p3skRshFI8qdPsViZI=", true },
	{ "{PBKDF2}$1$0123456789abcdef$1$b01e3d2cd7dbedce29e8d2a5fe57e25ee30716dc", true },
	{ "{PBKDF2}$1$0123456789abcdef$5000$c247154901f9bbfc9dab9736d9373ee4c2059144", false },
	{ "{MD5-CRYPT}$1$abcdefgh$drYXzU9cbSq2wkyOepvrY1", true },
	{ "{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuPfjEwYVmkQydAslsg08BCLvBVgQz/lC", false },
	{ "{ARGON2I}$argon2i$v=19$m=64,t=3,p=1$c2FsdHNhbHRzYWx0c2FsdA$jQ4gHXYElklTpoXCzdfoFcexwhPX3OIbGGAEK0h+xGA",
	    false },
};

static void
both_ways(const char *hash, struct span password, struct span wrong)
{
	struct err e = { 0 };
	struct span h = span_str(hash);

	tap_ok(pw_scheme_valid(h, &e) == 0, "valid: %.60s %s", hash, e.text);
	tap_ok(pw_verify(h, password, &e) == 1, "the password is right for %.60s %s", hash, e.text);
	tap_ok(pw_verify(h, wrong, &e) == 0, "another is wrong for %.60s %s", hash, e.text);
}

/* The last octets of the digest count; of SCRAM's two keys it is the first that is verified. */
static void
changed_hash(const char *hash)
{
	char copy[400];
	size_t n = strlen(hash),
	       end = span_starts(span_str(hash), "{SCRAM") ? (size_t)span_rchr(span_str(hash), ',') : n;
	size_t at = end - (hash[end - 1] == '=' ? 4 : 2);
	struct err e = { 0 };

	need(n < sizeof copy);
	memcpy(copy, hash, n + 1);
	copy[at] = copy[at] == '0' ? '1' : '0';
	tap_ok(pw_verify(span_str(copy), SPAN("s3cret \xc3\xa9"), &e) == 0,
	    "a changed hash is wrong: %.60s %s", copy, e.text);
}

static void
new_hashes(void)
{
	struct pw_cost cost = { .passes = 1, .memory_kib = 64 },
		       huge = { .passes = 1, .memory_kib = UINT32_MAX };
	struct buf a, b;
	struct err e = { 0 };

	buf_init(&a, PW_HASH_MAX);
	buf_init(&b, PW_HASH_MAX);
	tap_ok(pw_hash(SPAN("new one"), &cost, &a, &e) == 0, "a new hash is made");
	tap_ok(pw_hash(SPAN("new one"), &cost, &b, &e) == 0, "and another");
	tap_ok(span_starts(buf_span(&a), "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$"),
	    "it is Argon2id of the cost asked");
	tap_ok(!span_same(buf_span(&a), buf_span(&b)), "no salt is used twice");
	tap_ok(pw_verify(buf_span(&a), SPAN("new one"), &e) == 1, "a new hash verifies");
	tap_ok(pw_verify(buf_span(&a), SPAN("new on"), &e) == 0, "only with its password");
	tap_ok(pw_hash(SPAN(""), &cost, &a, &e) < 0 && e.kind == ERR_PEER, "an empty password is refused");
	err_clear(&e);
	tap_ok(pw_hash(SPAN("x"), &huge, &a, &e) < 0 && e.kind == ERR_TEMP, "no memory is a temporary error");
	pw_dummy_verify(SPAN("x"), &cost);
	buf_wipe(&a);
	buf_wipe(&b);
}

static void
limits(void)
{
	char big[PW_MAX + 1], stored[PW_MAX + 8] = "{PLAIN}";
	struct err e = { 0 };

	memset(big, 'a', sizeof big);
	memset(stored + 7, 'a', PW_MAX);
	tap_ok(
	    pw_verify(span_of(stored, PW_MAX + 7), span_of(big, PW_MAX), &e) == 1, "1024 octets are taken");
	tap_ok(pw_verify(span_of(stored, PW_MAX + 7), span_of(big, PW_MAX + 1), &e) == 0, "1025 are not");
	tap_ok(pw_verify(SPAN("{PLAIN}a"), SPAN("a\0b"), &e) == 0, "a NUL does not end a password");
	tap_ok(pw_verify(SPAN("{CRYPT}abw1tSBs1hgx."), span_of(big, 600), &e) == 0,
	    "too long for crypt(3) is wrong");
	tap_ok(pw_verify(SPAN("{PLAIN}a"), SPAN(""), &e) == 0 && e.kind == ERR_NONE, "an empty one is wrong");
	tap_ok(pw_verify(SPAN("{NO}a"), SPAN("a"), &e) == -1 && e.kind == ERR_PERM,
	    "a bad hash is not a wrong password");
}

int
main(void)
{
	struct err e = { 0 };

	tap_ok(pw_init(&e) == 0, "pw_init %s", e.text);
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		both_ways(right[i], SPAN("s3cret \xc3\xa9"), SPAN("S3cret \xc3\xa9"));
		changed_hash(right[i]);
	}
	for (size_t i = 0; i < sizeof dovecots / sizeof dovecots[0]; i++)
		both_ways(dovecots[i], SPAN("test"), SPAN("tesu"));
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct err why = { 0 };
		int rc = pw_scheme_valid(span_str(refused[i].hash), &why);

		if (!tap_ok(rc < 0 && why.kind == ERR_PEER && strstr(why.text, refused[i].says) != NULL,
			"refused with \"%s\": %.50s", refused[i].says, refused[i].hash))
			printf("# %s\n", why.text);
	}
	for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
		tap_ok(pw_cheap(span_str(costs[i].hash)) == costs[i].cheap, "%s: %.40s",
		    costs[i].cheap ? "cheap" : "slow", costs[i].hash);
	new_hashes();
	limits();
	return tap_done();
}
