/* charset-tables.h - the upper halves of the charsets of one octet, for charset.c. */
#ifndef MAIL_CHARSET_TABLES_H
#define MAIL_CHARSET_TABLES_H

#include <stdint.h>

/* Code points of octets 128 to 255; 0: undefined. */
extern const uint16_t charset_iso8859_2[128];
extern const uint16_t charset_iso8859_3[128];
extern const uint16_t charset_iso8859_4[128];
extern const uint16_t charset_iso8859_5[128];
extern const uint16_t charset_iso8859_6[128];
extern const uint16_t charset_iso8859_7[128];
extern const uint16_t charset_iso8859_8[128];
extern const uint16_t charset_iso8859_9[128];
extern const uint16_t charset_iso8859_10[128];
extern const uint16_t charset_iso8859_11[128];
extern const uint16_t charset_iso8859_13[128];
extern const uint16_t charset_iso8859_14[128];
extern const uint16_t charset_iso8859_15[128];
extern const uint16_t charset_iso8859_16[128];
extern const uint16_t charset_cp1250[128];
extern const uint16_t charset_cp1251[128];
extern const uint16_t charset_cp1252[128];
extern const uint16_t charset_cp1253[128];
extern const uint16_t charset_cp1254[128];
extern const uint16_t charset_cp1255[128];
extern const uint16_t charset_cp1256[128];
extern const uint16_t charset_cp1257[128];
extern const uint16_t charset_cp1258[128];
extern const uint16_t charset_koi8_r[128];
extern const uint16_t charset_koi8_u[128];
extern const uint16_t charset_cp437[128];
extern const uint16_t charset_cp850[128];
extern const uint16_t charset_cp852[128];
extern const uint16_t charset_cp866[128];
extern const uint16_t charset_mac_roman[128];

#endif
