/*
 * What `heapline run` makes of a collector's or daemon's messages, whatever they are: it comes to
 * an end, with a text that is one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver.h"
#include "viewer/run/collector.h"

#define SAID_BYTES_MAX 60000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct signals none = {.descriptor = -1};
    char trouble[CONTROL_TEXT_MAX];
    int ends[2];
    if (size > SAID_BYTES_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
        send(ends[1], data, size, MSG_DONTWAIT) != (ssize_t)size || shutdown(ends[1], SHUT_WR) != 0)
        abort();
    struct collector collector = {.control = ends[0]};
    enum collector_end end = collector_finish(&collector, &none, 0, trouble, NULL);
    bool has_text = end == COLLECTOR_DONE || end == COLLECTOR_GONE;
    if (!(has_text || end == COLLECTOR_DIED) || !memchr(trouble, 0, sizeof trouble) ||
        (!has_text && *trouble))
        abort();
    close(ends[1]);
    return 0;
}
