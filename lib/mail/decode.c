#include "mail/decode.h"

bool
decode_known(enum mime_encoding encoding)
{
	return encoding != MIME_OTHER;
}

bool
decode_identity(enum mime_encoding encoding)
{
	return encoding == MIME_7BIT || encoding == MIME_8BIT || encoding == MIME_BINARY;
}

int
decode_piece(struct decoder *d, struct span piece, bool last, struct buf *out, struct err *e)
{
	switch (d->encoding) {
	case MIME_BASE64:
		return base64_decode_mime(&d->base64, piece, last, out, e);
	case MIME_QP:
		return qp_decode(&d->qp, piece, last, out, e);
	case MIME_7BIT:
	case MIME_8BIT:
	case MIME_BINARY:
	case MIME_OTHER:
		break;
	}
	return buf_add(out, e, piece);
}
