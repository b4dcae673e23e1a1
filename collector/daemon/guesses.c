/*
 * Each wrong token costs GUESSES_REFILL_NS, and GUESSES_FREE of them may be owed.
 */
#include "collector/daemon/guesses.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static struct guesser *find_guesser(const struct guesses *guesses, uint64_t address)
{
    for (unsigned i = 0; i < GUESSERS_MAX; i++)
        if (guesses->list[i].wrong_ns && guesses->list[i].address == address)
            return (struct guesser *)&guesses->list[i];
    return NULL;
}

bool guesses_are_spent(const struct guesses *guesses, uint64_t address, uint64_t now_ns)
{
    const struct guesser *guesser = find_guesser(guesses, address);
    return guesser && guesser->paid_ns > now_ns + (GUESSES_FREE - 1) * GUESSES_REFILL_NS;
}

void guesses_note_wrong(struct guesses *guesses, uint64_t address, uint64_t now_ns)
{
    struct guesser *guesser = find_guesser(guesses, address);
    if (!guesser) {
        guesser = &guesses->list[0];
        for (unsigned i = 1; i < GUESSERS_MAX; i++)
            if (guesses->list[i].wrong_ns < guesser->wrong_ns)
                guesser = &guesses->list[i];
        *guesser = (struct guesser){.address = address};
    }
    guesser->wrong_ns = now_ns;
    if (guesser->paid_ns < now_ns)
        guesser->paid_ns = now_ns;
    guesser->paid_ns += GUESSES_REFILL_NS;
}

uint64_t guesser_of(int connection)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } peer = {0};
    socklen_t size = sizeof peer;
    uint64_t address = 0;
    if (getpeername(connection, &peer.any, &size) != 0)
        return 0;
    if (peer.any.sa_family == AF_INET)
        return ntohl(peer.four.sin_addr.s_addr);
    if (peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer.six.sin6_addr))
        return ntohl(peer.six.sin6_addr.s6_addr32[3]);
    if (peer.any.sa_family == AF_INET6)
        memcpy(&address, &peer.six.sin6_addr, sizeof address);
    return address;
}
