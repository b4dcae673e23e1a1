/*
 * Sending frames.
 *
 * One thread sends at a time, who holds `lock`; others go on writing while there is room. A frame
 * that a signal or a full socket has interrupted is gone on with by whoever sends next. When there
 * is no room a writer sends itself, or waits for the one who does, in short spells, and gives up
 * after the collector's patience without any progress: the gate shuts, one line says so.
 *
 * Signals are blocked while a thread sends, which takes no longer than a spell: no handler can wait
 * for its own thread, nor leave the lock held.
 *
 * The program may close any descriptor, and open another under its number. So before each piece the
 * socket is looked at; when it is another one the stream goes on over a new connection, with the
 * frame at hand from its beginning. The descriptor is then the program's and is left alone. A vfork
 * child shares this memory, but its descriptors are its own: it never connects.
 *
 * Sending is a point of cancellation, allocating is none: a thread cannot be cancelled in here.
 *
 * The private ring has no reader who moves its clock: `clock_sent` never agrees with it, so that
 * every event comes by follow_clock(), which asks the kernel's coarse clock, without a system call.
 * (The processor's own counter takes longer to read.)
 */
#include "preload/carrier/stream_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "assertion.h"
#include "futex.h"
#include "preload/base/real_mapping.h"
#include "preload/base/shim.h"
#include "preload/base/signals.h"
#include "preload/carrier/connection.h"
#include "preload/carrier/greeting.h"
#include "preload/carrier/ring_writer.h"

#define SPELL_NS UINT64_C(20000000)
/* For others' frames, and for a record that is not published yet. */
#define PAUSE_NS UINT64_C(1000000)
/* What has been written is sent after so long, when there are events at all. */
#define DELAY_NS UINT64_C(50000000)
/* Gives up flushing after so long. */
#define FLUSH_NS UINT64_C(2000000000)
/* Words that are looked at together. */
#define STRIDE 8u
/* Descriptors from here down are the program's. */
#define DESCRIPTOR_HIGH 960
#define DESCRIPTOR_ROOM 64

#define LOST "the connection to the collector is lost; the program goes on untraced"

static struct {
    int connection;
    pid_t owner;                     /* who has it; a vfork child is another one */
    struct ring_reader_page *reader; /* that of the private ring: who sends is its reader */
    dev_t device;                    /* of the socket, */
    ino_t inode;                     /* to know it again */
    uint64_t number;
    _Atomic uint32_t lock;
    /* Under the lock: the frame at hand and how many of its bytes have been sent; words 0: none. */
    struct frame frame;
    size_t sent;
    _Atomic uint64_t ticked_ns, framed_ns;
    _Atomic uint64_t stalled; /* tail + 1 when a flush has waited in vain; 0: has not */
    bool abandoned;           /* given up, but what is in the ring may still be sent */
} stream = {.connection = -1};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- the connection --- */

/* Moves the descriptor out of the program's way. */
static int move_high(int connection)
{
    struct rlimit limit;
    int high = DESCRIPTOR_HIGH;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTOR_HIGH + DESCRIPTOR_ROOM)
        high = limit.rlim_cur > DESCRIPTOR_ROOM ? (int)limit.rlim_cur - DESCRIPTOR_ROOM : 0;
    int moved = fcntl(connection, F_DUPFD_CLOEXEC, high);
    if (moved < 0)
        return connection;
    close(connection);
    return moved;
}

static void use_connection(int connection)
{
    struct stat status = {0};
    connection = move_high(connection);
    connection_limit(connection, SPELL_NS);
    fstat(connection, &status);
    stream.device = status.st_dev;
    stream.inode = status.st_ino;
    stream.connection = connection;
}

static bool is_ours(void)
{
    struct stat status;
    return stream.connection >= 0 && fstat(stream.connection, &status) == 0 &&
           status.st_dev == stream.device && status.st_ino == stream.inode;
}

static void stream_lose(const char *reason)
{
    if (is_ours())
        close(stream.connection);
    stream.connection = -1;
    ring_give_up(reason);
}

/* --- one frame --- */

static uint64_t word_at(uint64_t position)
{
    return atomic_load_explicit(&ring_writer.words[position & ring_writer.mask],
                                memory_order_relaxed);
}

/* STRIDE words from there on, which is a multiple of it and so in one lap. */
static bool are_published(uint64_t position)
{
    uint64_t differs = 0, lap = wire_lap_bit(position, ring_writer.log2_words);
    for (unsigned i = 0; i < STRIDE; i++)
        differs |= word_at(position + i) ^ lap;
    return !(differs & WIRE_LAP_BIT);
}

/* Where the words end that can be sent: before the first that is not published yet, which begins a
 * record, and not beyond what a frame may hold. */
static uint64_t frame_end(uint64_t from)
{
    uint64_t head = atomic_load(&ring_writer.writers->head), at = from;
    ASSERT(from <= head && head - from <= ring_writer.mask + 1);
    uint64_t most = head - from > FRAME_WORDS_MAX ? from + FRAME_WORDS_MAX : head;
    while (at < most) {
        bool strides = at % STRIDE == 0 && most - at >= STRIDE && are_published(at);
        if (!strides && !ring_is_published(at))
            break;
        at += strides ? STRIDE : 1;
    }
    atomic_thread_fence(memory_order_acquire);
    /* The next word is a record's first one, or the frame is full in the middle of a record. */
    if (at == most && at < head)
        while (at > from && !(ring_is_published(at) && word_at(at) & WIRE_FIRST_BIT))
            at--;
    return at;
}

/* Begins a frame when there are words for one. */
static bool frame_begin(void)
{
    uint64_t tail = atomic_load(&stream.reader->tail), end = frame_end(tail);
    ASSERT(tail <= end && end - tail <= FRAME_WORDS_MAX);
    if (end == tail)
        return false;
    stream.frame = (struct frame){.magic = FRAME_MAGIC,
                                  .words = (uint32_t)(end - tail),
                                  .position = tail,
                                  .dropped = atomic_load(&ring_writer.writers->dropped)};
    stream.sent = 0;
    return true;
}

/* What is left of the frame: its header, and its words in up to two pieces. */
static int frame_parts(struct iovec parts[3])
{
    ASSERT(stream.sent < sizeof stream.frame + stream.frame.words * sizeof(uint64_t));
    uint64_t at = stream.frame.position & ring_writer.mask, count = stream.frame.words;
    uint64_t first = at + count > ring_writer.mask + 1 ? ring_writer.mask + 1 - at : count;
    const struct iovec whole[3] = {
        {&stream.frame, sizeof stream.frame},
        {(void *)(uintptr_t)&ring_writer.words[at], first * sizeof(uint64_t)},
        {(void *)(uintptr_t)ring_writer.words, (count - first) * sizeof(uint64_t)},
    };
    size_t skip = stream.sent;
    int parts_count = 0;
    for (int i = 0; i < 3; i++) {
        size_t skipped = skip < whole[i].iov_len ? skip : whole[i].iov_len;
        skip -= skipped;
        if (whole[i].iov_len > skipped)
            parts[parts_count++] =
                (struct iovec){(char *)whole[i].iov_base + skipped, whole[i].iov_len - skipped};
    }
    return parts_count;
}

static void frame_finish(void)
{
    ASSERT(stream.frame.position == atomic_load(&stream.reader->tail));
    atomic_store(&stream.reader->tail, stream.frame.position + stream.frame.words);
    atomic_store(&stream.framed_ns, clock_ns(CLOCK_MONOTONIC_COARSE));
    stream.frame.words = 0;
    if (atomic_exchange(&ring_writer.writers->writers_wait, 0)) {
        atomic_fetch_add(&stream.reader->progress, 1);
        futex_wake(&stream.reader->progress, INT32_MAX);
    }
}

/* The socket has gone: by the program, or has the collector said why? */
static void find_reason(void)
{
    struct welcome farewell;
    ssize_t got = recv(stream.connection, &farewell, sizeof farewell, MSG_DONTWAIT);
    bool over = got == (ssize_t)sizeof farewell && farewell.magic == HANDSHAKE_MAGIC;
    if (over && farewell.verdict == WELCOME_DECLINED)
        stream_lose(NULL);
    else
        stream_lose(over && farewell.verdict == WELCOME_LIMIT ? RING_LIMIT : LOST);
}

/* Has the collector said something, or gone? Then this was the last frame. */
static bool hears_farewell(void)
{
    char byte;
    ssize_t got = recv(stream.connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* Goes on over a new connection after the program has closed ours. */
static bool stream_reconnect(void)
{
    stream.connection = -1;
    stream.frame.words = 0;
    int connection = greeting_again(stream.number, atomic_load(&stream.reader->tail));
    if (connection < 0) {
        stream_lose(LOST);
        return false;
    }
    use_connection(connection);
    return true;
}

/* Nothing could be sent; false: nor can it now. */
static bool outlives_failure(int problem)
{
    if (problem == EAGAIN || problem == ENOBUFS || problem == ENOMEM)
        return false;
    if (problem == EINTR || !is_ours()) /* the program has closed it just now */
        return true;
    find_reason();
    return false;
}

/* Sends once; false when nothing more can be sent now. */
static bool send_some(bool wait)
{
    struct iovec parts[3];
    if (stream.frame.words == 0 && !frame_begin())
        return false;
    if (!is_ours())
        return getpid() == stream.owner && stream_reconnect();
    if (stream.sent == 0 && hears_farewell()) {
        find_reason();
        return false;
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)frame_parts(parts)};
    ssize_t sent = sendmsg(stream.connection, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    if (sent < 0)
        return outlives_failure(errno);
    stream.sent += (size_t)sent;
    if (stream.sent == sizeof stream.frame + stream.frame.words * sizeof(uint64_t))
        frame_finish();
    return true;
}

/* --- all there is --- */

static bool try_lock(struct signals *signals)
{
    uint32_t free = 0;
    *signals = signals_block();
    if (atomic_compare_exchange_strong(&stream.lock, &free, 1))
        return true;
    signals_restore(*signals);
    return false;
}

static void stream_unlock(struct signals signals)
{
    atomic_store(&stream.lock, 0);
    signals_restore(signals);
}

static bool may_send(void)
{
    return stream.connection >= 0 && (shim_gate_open() || stream.abandoned);
}

/* What had been written when it began, and no more: others may write on and on. */
static void send_all(bool wait)
{
    uint64_t head = atomic_load(&ring_writer.writers->head),
             since = clock_ns(CLOCK_MONOTONIC_COARSE);
    while (may_send() && atomic_load(&stream.reader->tail) < head && send_some(wait))
        if (wait && clock_ns(CLOCK_MONOTONIC_COARSE) - since > SPELL_NS)
            break;
}

/* Sends frames; with `wait` for about one spell where the socket is full. */
static void stream_push(bool wait)
{
    int saved = errno, cancellation;
    struct signals signals;
    if (!try_lock(&signals))
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    send_all(wait);
    pthread_setcancelstate(cancellation, NULL);
    stream_unlock(signals);
    errno = saved;
}

/* The tail first: a head from before it would seem to be a whole ring away. */
static bool has_room(unsigned count)
{
    uint64_t tail = atomic_load(&stream.reader->tail);
    return atomic_load(&ring_writer.writers->head) + count - tail <= ring_writer.mask + 1;
}

/* A moment of waiting, until the tail is no more where it was. */
static void wait_for_others(uint64_t tail)
{
    uint32_t progress = atomic_load(&stream.reader->progress);
    atomic_store(&ring_writer.writers->writers_wait, 1);
    if (atomic_load(&stream.reader->tail) == tail)
        futex_wait(&stream.reader->progress, progress, PAUSE_NS);
}

static void wait_for_room(unsigned count)
{
    struct ring_patience patience = {0};
    while (shim_gate_open()) {
        uint64_t tail = atomic_load(&stream.reader->tail);
        stream_push(true);
        if (has_room(count))
            return;
        wait_for_others(tail);
        if (ring_patience_ends(&patience, atomic_load(&stream.reader->tail),
                               stream.reader->patience_ns)) {
            atomic_fetch_add(&ring_writer.writers->dropped, 1);
            atomic_store(&stream.stalled, atomic_load(&stream.reader->tail) + 1);
            stream.abandoned = true;
            ring_give_up(RING_SILENCE);
        }
    }
}

/* A vfork child cannot wait for a socket that it has not. */
static bool cannot_wait(void)
{
    return ring_writer.drops || getpid() != stream.owner;
}

static bool make_room(unsigned count)
{
    int saved = errno;
    stream_push(false);
    if (shim_gate_open() && !has_room(count)) {
        if (cannot_wait()) {
            atomic_fetch_add(&ring_writer.writers->dropped, 1);
            errno = saved;
            return false;
        }
        wait_for_room(count);
    }
    errno = saved;
    if (!shim_gate_open())
        return false;
    uint64_t head = atomic_load(&ring_writer.writers->head);
    uint64_t look = head + (FRAME_WORDS_MAX > count ? FRAME_WORDS_MAX : count);
    uint64_t end = atomic_load(&stream.reader->tail) + ring_writer.mask + 1;
    atomic_store(&ring_writer.limit, look < end ? look : end);
    return true;
}

static void follow_clock(uint32_t clock)
{
    (void)clock;
    /* Which leaves errno alone: it does not fail. */
    uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
    if (SHIM_LIKELY(now == atomic_load_explicit(&stream.ticked_ns, memory_order_relaxed)))
        return;
    int saved = errno;
    atomic_store_explicit(&stream.ticked_ns, now, memory_order_relaxed);
    ring_send_time();
    if (now - atomic_load(&stream.framed_ns) > DELAY_NS)
        stream_push(false);
    errno = saved;
}

/* Waits until all has been sent up to `head`. Who has waited in vain once does not wait again for
 * the same. */
static void flush_to(uint64_t head)
{
    struct ring_patience patience = {0};
    uint64_t tail;
    stream_push(false);
    while ((tail = atomic_load(&stream.reader->tail)) < head && may_send() &&
           atomic_load(&stream.stalled) != tail + 1) {
        stream_push(true);
        wait_for_others(tail);
        if (ring_patience_ends(&patience, 0, FLUSH_NS))
            atomic_store(&stream.stalled, atomic_load(&stream.reader->tail) + 1);
    }
}

static void stream_flush(void)
{
    if (!may_send() || getpid() != stream.owner)
        return;
    int saved = errno;
    flush_to(atomic_load(&ring_writer.writers->head));
    errno = saved;
}

/* --- beginning and end --- */

static void stream_forget(void)
{
    if (is_ours())
        close(stream.connection);
    stream.connection = -1;
    atomic_store(&stream.lock, 0);
}

static const struct carrier carrier = {
    .make_room = make_room, .tick = follow_clock, .flush = stream_flush, .forget = stream_forget};

/* The reader's page, and right behind it the writers' memory. */
static bool make_private_ring(const struct welcome *welcome)
{
    if (welcome->log2_words < RING_LOG2_WORDS_MIN || welcome->log2_words > RING_LOG2_WORDS_MAX)
        return false;
    size_t bytes = ring_writers_bytes(welcome->log2_words);
    char *memory = real_mmap(NULL, RING_PAGE_BYTES + bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    stream.reader = (struct ring_reader_page *)(void *)memory;
    stream.reader->magic = RING_MAGIC;
    stream.reader->log2_words = welcome->log2_words;
    stream.reader->overflow = welcome->overflow;
    stream.reader->patience_ns = welcome->patience_ns;
    return ring_writer_init(&carrier, stream.reader,
                            (struct ring_writers_page *)(void *)(memory + RING_PAGE_BYTES), bytes);
}

bool stream_writer_init(int connection, const struct welcome *welcome)
{
    if (!make_private_ring(welcome)) {
        close(connection);
        return false;
    }
    stream.number = welcome->stream;
    stream.owner = getpid();
    stream.frame.words = 0;
    stream.abandoned = false;
    atomic_store(&stream.stalled, 0);
    atomic_store(&stream.ticked_ns, 0);
    atomic_store(&stream.framed_ns, clock_ns(CLOCK_MONOTONIC_COARSE));
    use_connection(connection);
    return true;
}
