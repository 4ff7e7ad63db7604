/* base.h - what every file may use: spans, buffers, arenas, errors. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/span.h"

#endif
