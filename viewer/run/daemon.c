/*
 * Saying hello to a daemon for a whole run (HELLO_RUN in schema/handshake.h).
 */
#include "viewer/run/daemon.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake.h"
#include "viewer/base/cleanup.h"
#include "viewer/run/message.h"
#include "wire.h"

#define PATIENCE_SECONDS 10

struct message {
    struct hello hello;
    char details[HELLO_DETAILS_MAX];
};

/* Leaves out what there is no room for: the end of a very long command. */
static void add_detail(struct message *message, const char *name, const char *value)
{
    size_t room = sizeof message->details - message->hello.details;
    if (!value || strlen(name) + strlen(value) + 2 > room)
        return;
    message->hello.details +=
        (uint32_t)sprintf(message->details + message->hello.details, "%s=%s", name, value) + 1;
}

static void add_token(struct message *message)
{
    char token[HELLO_TOKEN_MAX + 2] = "";
    const char *path = getenv(ENVIRONMENT_TOKEN_FILE);
    if (getenv(ENVIRONMENT_TOKEN) || !path) {
        add_detail(message, "token", getenv(ENVIRONMENT_TOKEN));
        return;
    }
    FILE *file = fopen(path, "re");
    if (file && fgets(token, sizeof token, file))
        token[strcspn(token, "\r\n")] = '\0';
    if (file)
        fclose(file);
    add_detail(message, "token", token);
}

static void message_compose(struct message *message, const struct collector_plan *plan)
{
    message->hello = (struct hello){.magic = HANDSHAKE_MAGIC,
                                    .wire_version = WIRE_VERSION,
                                    .process = (uint32_t)plan->pid,
                                    .parent = (uint32_t)getppid(),
                                    .carrier = HELLO_RUN};
    CLEANUP(cleanup_free) char *folder = getcwd(NULL, 0);
    add_token(message);
    add_detail(message, "session", plan->session);
    add_detail(message, "run", plan->key);
    add_detail(message, "name", plan->name);
    add_detail(message, "overflow", plan->overflow);
    add_detail(message, "frames", plan->frames_max);
    if (plan->no_history)
        add_detail(message, "history", "0");
    if (plan->no_children)
        add_detail(message, "children", "0");
    if (plan->resident_ms) {
        char number[16];
        snprintf(number, sizeof number, "%u", plan->resident_ms);
        add_detail(message, "resident", number);
    }
    add_detail(message, "folder", folder);
    for (char *const *word = plan->command; *word; word++)
        add_detail(message, "argument", *word);
}

/* "tcp:NAME:PORT" with the name looked up; a getaddrinfo() error, 0 when all is well. */
static int look_up(const char *text, char numeric[ADDRESS_TEXT_MAX + 1])
{
    const char *name = text + strlen("tcp:"), *port = strrchr(text, ':');
    char host[256], number[INET6_ADDRSTRLEN];
    if (strncmp(text, "tcp:", 4) || port <= name ||
        snprintf(host, sizeof host, "%.*s", (int)(port - name), name) >= (int)sizeof host)
        return EAI_NONAME;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int problem = getaddrinfo(host, NULL, &hints, &found);
    if (problem)
        return problem;
    problem = getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof number, NULL, 0,
                          NI_NUMERICHOST);
    snprintf(numeric, ADDRESS_TEXT_MAX + 1,
             found->ai_family == AF_INET6 ? "tcp:[%s]%s" : "tcp:%s%s", number, port);
    freeaddrinfo(found);
    return problem;
}

bool daemon_resolve(const char *text, char numeric[ADDRESS_TEXT_MAX + 1])
{
    struct address address;
    int problem = 0;
    if (strlen(text) <= ADDRESS_TEXT_MAX && address_parse(text, &address))
        strcpy(numeric, text);
    else
        problem = look_up(text, numeric);
    if (!problem && address_parse(numeric, &address))
        return true;
    run_fail("there is no daemon at '%s' (%s); give unix:PATH or tcp:HOST:PORT", text,
             problem ? gai_strerror(problem) : "no address");
    return false;
}

static bool connect_to(int connection, const struct address *address)
{
    if (connect(connection, &address->socket.any, address->length) != 0)
        return false;
    errno = EPERM; /* another user's */
    return address_is_trusted(connection);
}

int daemon_connect(const struct collector_plan *plan)
{
    struct address address;
    const struct timeval limit = {.tv_sec = PATIENCE_SECONDS};
    CLEANUP(cleanup_free) struct message *message = calloc(1, sizeof *message);
    if (!message || !address_parse(plan->address, &address)) {
        run_fail("cannot begin: %s", strerror(ENOMEM));
        return -1;
    }
    message_compose(message, plan);
    size_t size = sizeof message->hello + message->hello.details;
    int connection = socket(address.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection >= 0) {
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect_to(connection, &address) &&
            send(connection, message, size, MSG_NOSIGNAL) == (ssize_t)size)
            return connection;
    }
    run_fail("cannot reach the daemon at %s: %s; start it with heaplined --listen %s",
             plan->address, strerror(errno), plan->address);
    cleanup_close(&connection);
    return -1;
}
