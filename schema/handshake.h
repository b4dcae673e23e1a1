/*
 * The handshake between a traced process and the collector, over a Unix stream socket.
 *
 * The process connects, sends one struct hello and waits for one struct welcome, which carries the
 * ring's memfd (SCM_RIGHTS) when `accepted` is 1. Then it closes the socket: nothing stays open.
 * The collector knows the process by the socket's peer credentials, not by what it says.
 *
 * The address travels in the environment variable HEAPLINE_SOCKET. An address that begins with '@'
 * is in Linux's abstract namespace.
 */
#ifndef HEAPLINE_SCHEMA_HANDSHAKE_H
#define HEAPLINE_SCHEMA_HANDSHAKE_H

#include <stdint.h>

#define HANDSHAKE_MAGIC       UINT32_C(0x48504c48) /* "HLPH" */
#define HANDSHAKE_ENVIRONMENT "HEAPLINE_SOCKET"

struct hello {
    uint32_t magic;
    uint32_t wire_version;
    uint32_t python_version; /* PY_VERSION_HEX, 0 when not known yet */
    uint32_t fork_token;     /* of the mark that the parent sent before it forked; 0: not forked */
    uint32_t parent;         /* the process that forked it, 0: not forked */
    uint32_t reserved;
};
_Static_assert(sizeof(struct hello) == 24, "struct hello has no padding");

struct welcome {
    uint32_t magic;
    uint32_t wire_version;
    uint32_t accepted; /* 0: the process runs untraced, without a word */
    uint32_t reserved;
};
_Static_assert(sizeof(struct welcome) == 16, "struct welcome has no padding");

#endif
