/*
 * declare.h - turns the .def file named by IPC_DEF into structs and numbers. No include guard: each
 * SERVICE.h includes it once, for its own .def.
 */
#define MSG(name, num, who)                                                                                  \
	enum { name##_no = (num) };                                                                          \
	struct name {
#define FIELD(type, name, doc) ipc_t_##type name;
#define END                                                                                                  \
	}                                                                                                    \
	;
#include IPC_DEF
#undef MSG
#undef FIELD
#undef END
#undef IPC_DEF
