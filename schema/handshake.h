/*
 * The handshake between a traced process and the collector, over a stream socket.
 *
 * The process connects, sends one struct hello with its details behind it, and waits for one struct
 * welcome. What comes then depends on the carrier:
 *   ring    the welcome carries two memfds (SCM_RIGHTS, in one message), the reader's page and the
 *           writers' memory, see ring.h, and the process closes the socket: nothing stays open
 *           (only over a Unix socket)
 *   stream  the socket stays open and the words of wire.h go over it in frames
 *
 * On a stream the collector may send a second welcome, a farewell: nothing more will be read, and
 * its verdict says why. A process that finds its socket closed or replaced, by the program itself,
 * connects again and says which stream it goes on with.
 *
 * `heapline run --daemon` says the same hello with HELLO_RUN; the answer to it is a control message
 * (control.h), and so is all that follows.
 *
 * The first two fields of both structures stay where they are in every version, so that each side
 * can tell a peer of another version from nonsense.
 *
 * The collector knows a process on its own host by the socket's peer credentials, not by what it
 * says; what is said counts only where the kernel does not know.
 *
 * All this travels in the environment, in the variables named below. The shim takes them out and
 * gives them back to what is executed.
 */
#ifndef HEAPLINE_SCHEMA_HANDSHAKE_H
#define HEAPLINE_SCHEMA_HANDSHAKE_H

#include <stdint.h>
#include <string.h>

#define HANDSHAKE_MAGIC UINT32_C(0x48504c48) /* "HLPH" */

/* The descriptors of a ring, in the order in which the welcome carries them. */
enum ring_part { RING_READER, RING_WRITERS, RING_PARTS };

/* An address (address.h): of the collector or of a daemon. */
#define ENVIRONMENT_DAEMON "HEAPLINE_DAEMON"
/* What belongs together: a name that all runs with it share, or else a key that is made up for the
 * first process and given to its descendants. */
#define ENVIRONMENT_SESSION "HEAPLINE_SESSION"
#define ENVIRONMENT_RUN     "HEAPLINE_RUN"
/* The daemon's secret, or a file whose first line it is. */
#define ENVIRONMENT_TOKEN      "HEAPLINE_TOKEN"
#define ENVIRONMENT_TOKEN_FILE "HEAPLINE_TOKEN_FILE"
/* Seconds that a process waits for a daemon that is not there yet. */
#define ENVIRONMENT_WAIT "HEAPLINE_WAIT"
/* The process id of the latest traced process that has executed something on the way here. */
#define ENVIRONMENT_ANCESTOR "HEAPLINE_ANCESTOR"

/* Set to anything: native stacks too. */
#define ENVIRONMENT_NATIVE "HEAPLINE_NATIVE"

enum hello_carrier {
    HELLO_RING = 0,
    HELLO_STREAM = 1,
    HELLO_RUN = 2,
    HELLO_UNTRACED = 3, /* nothing: the process cannot be traced, and is only to be counted */
};

struct hello {
    uint32_t magic;
    uint32_t wire_version;
    uint32_t python_version;  /* PY_VERSION_HEX, 0 when not known yet */
    uint32_t fork_token;      /* of the mark that the parent sent before it forked; 0: not forked */
    uint32_t process, parent; /* their ids as the process itself sees them */
    uint32_t carrier;         /* enum hello_carrier: what is wanted */
    uint32_t details;         /* bytes that follow, at most HELLO_DETAILS_MAX */
    uint64_t clock_ns;        /* the process's CLOCK_MONOTONIC, for streams */
    uint64_t stream;          /* goes on with this stream; 0: a new one */
    uint64_t position;        /* words sent on it so far */
};
_Static_assert(sizeof(struct hello) == 56, "struct hello has no padding");

/*
 * Details are strings "NAME=VALUE", each with its NUL, in any order; unknown names are passed over:
 *   token, session, run      as in the environment
 *   machine                  what the process ids belong to: boot id and pid namespace (streams)
 *   folder, argument         working folder; the command's words, in order (streams and runs)
 *   ancestor                 as in the environment
 *   name                     for the recording's file name (runs)
 *   overflow, frames, history, children   options of heapline run (runs)
 */
#define HELLO_DETAILS_MAX 16384u
#define HELLO_TOKEN_MAX   256u
#define HELLO_NAME_MAX    64u

enum welcome_verdict {
    WELCOME_DECLINED = 0, /* the process runs untraced, without a word */
    WELCOME_ACCEPTED = 1,
    WELCOME_VERSION = 2,  /* another version of this protocol */
    WELCOME_TOKEN = 3,    /* the token is missing or wrong */
    WELCOME_LIMIT = 4,    /* a limit of the daemon is reached */
    WELCOME_NONSENSE = 5, /* what was said makes no sense */
    WELCOME_STREAM = 6,   /* no ring can be had: say hello again and ask for a stream */
};

struct welcome {
    uint32_t magic;
    uint32_t wire_version;
    uint32_t verdict; /* enum welcome_verdict */
    uint32_t carrier; /* enum hello_carrier: what there is */
    /* For streams; the same as in the reader's page. */
    uint32_t log2_words;
    uint32_t overflow;
    uint64_t patience_ns;
    uint64_t stream; /* number to go on with, never 0 */
};
_Static_assert(sizeof(struct welcome) == 40, "struct welcome has no padding");

/*
 * A frame of a stream: this header, then `words` words as they stand in the sender's ring, lap bits
 * and all. A frame holds whole records only. The position is the sequence number: words sent before
 * this frame.
 */
#define FRAME_MAGIC     UINT32_C(0x48504c46) /* "FLPH" */
#define FRAME_WORDS_MAX 8192u

struct frame {
    uint32_t magic;
    uint32_t words; /* 1..FRAME_WORDS_MAX */
    uint64_t position;
    uint64_t dropped; /* records dropped so far for want of room */
};
_Static_assert(sizeof(struct frame) == 24, "struct frame has no padding");

/* Where the string behind `at` begins; null behind the last. All of `details` end in a NUL. */
static inline const char *hello_next_detail(const char *details, uint32_t bytes, const char *at)
{
    const char *next = at ? at + strlen(at) + 1 : details;
    return next < details + bytes ? next : NULL;
}

/* The first value of that name; null when there is none. */
static inline const char *hello_detail(const char *details, uint32_t bytes, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = NULL; (at = hello_next_detail(details, bytes, at));)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

#endif
