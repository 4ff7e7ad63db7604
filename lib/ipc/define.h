/*
 * define.h - turns the .def file named by IPC_DEF into the table IPC_MSGS that encodes and checks its
 * messages. No include guard.
 */
/* clang-format off */
#define MSG(name, num, who) { #name, (num), (who), sizeof(struct name), (const struct ipc_field[]){
#define FIELD(type, name, doc) { IPC_##type, #name, doc },
#define END { IPC_END, NULL, NULL } } },
/* clang-format on */
static const struct ipc_msg IPC_MSGS[] = {
#include IPC_DEF
	{ NULL, 0, 0, 0, NULL },
};
#undef MSG
#undef FIELD
#undef END
#undef IPC_DEF
