/*
 * The name's form: "python", digits and dots, then the letters of a build or "-dbg". Tools beside
 * it (python3-config) have other endings.
 */
#include "preload/process/exec_announcement.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "preload/base/shim.h"
#include "preload/carrier/ring_writer.h"
#include "preload/process/sealing.h"
#include "preload/thread/hook_call.h"
#include "wire.h"

#define PYTHON "python"

static bool is_python(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strncmp(name, PYTHON, strlen(PYTHON)) != 0)
        return false;
    name += strlen(PYTHON);
    name += strspn(name, "0123456789.");
    name += strspn(name, "dtmu");
    return !*name || strcmp(name, "-dbg") == 0;
}

bool exec_announcement_is_due(const char *path)
{
    return shim_gate_open() && path && is_python(path);
}

/* Sealed, no system call is made, and nobody will be traced. */
static pid_t own_pid(void)
{
    return shim_is_sealed() ? 0 : getpid();
}

static void send_mark(enum wire_mark mark, pid_t pid, uint64_t milliseconds)
{
    int saved = errno;
    struct hook_call call;
    if (shim_gate_open() && hook_begin_work(&call)) {
        ring_send_time();
        ring_send_mark(mark, (uint64_t)(uint32_t)pid << WIRE_EXECUTED_PID_SHIFT | milliseconds);
        hook_leave(&call);
        ring_flush();
    }
    errno = saved;
}

void exec_announce(void)
{
    send_mark(WIRE_MARK_EXECUTED, own_pid(), 0);
}

void exec_announce_failure(void)
{
    send_mark(WIRE_MARK_NOT_EXECUTED, own_pid(), 0);
}

static void send_own_mark(enum wire_mark mark)
{
    if (shim_gate_open() && sealing_is_own_process())
        send_mark(mark, 0, 0);
}

void exec_announce_replacement(void)
{
    send_own_mark(WIRE_MARK_REPLACED);
}

void exec_announce_no_replacement(void)
{
    send_own_mark(WIRE_MARK_NOT_REPLACED);
}

void exec_announce_child(pid_t pid, uint64_t began_ns)
{
    uint64_t milliseconds = (ring_monotonic_ns() - began_ns) / 1000000 + 1;
    send_mark(WIRE_MARK_EXECUTED, pid,
              milliseconds < WIRE_EXECUTED_MS_MASK ? milliseconds : WIRE_EXECUTED_MS_MASK);
}
