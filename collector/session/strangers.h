/*
 * Other users' processes at the door of root's private collector: root has started the run, and
 * somebody of it works as another user (su, setpriv, a supervisor's user=). Who knows the run's key
 * belongs to it, for the key goes from process to process in the environment alone, which the
 * kernel shows to nobody else.
 *
 * Anybody on the host can connect, so nobody's hello is waited for: one that is not whole at once
 * stays in one of STRANGERS_MAX slots until it is, for a second at most; when they are taken, who
 * has waited longest goes.
 */
#ifndef HEAPLINE_COLLECTOR_STRANGERS_H
#define HEAPLINE_COLLECTOR_STRANGERS_H

#include <poll.h>
#include <stdint.h>

#define STRANGERS_MAX 8u

struct arrival;
struct arrival_reader;

struct strangers {
    const char *key; /* of the run, the caller's; null: nobody is welcome */
    /* Takes over the connection of who belongs to the run. */
    void (*admit)(void *context, const struct arrival *arrival);
    void *context;
    struct {
        struct arrival_reader *reader; /* null: free */
        uint64_t since_ns;
    } slots[STRANGERS_MAX];
};

/* Takes its connection over. */
void strangers_greet(struct strangers *strangers, const struct arrival *arrival);

/* Fills STRANGERS_MAX entries of a poll(), and hears whom it has found. */
void strangers_watch(const struct strangers *strangers, struct pollfd *watched);
void strangers_hear(struct strangers *strangers, const struct pollfd *watched);

/* Closes the door. */
void strangers_dismiss(struct strangers *strangers);

#endif
