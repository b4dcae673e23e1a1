/*
 * What a compiler of Python makes of a function: C code that stands in the chain of frames with an
 * object of a type of its own, whose instruction never moves and which says what line it is at.
 */
#include <stdint.h>
#include <string.h>

typedef struct object object;
object *PyFrame_New(void *thread, object *code, object *globals, object *locals);
object *PyBytes_FromStringAndSize(const char *bytes, intptr_t size);
object *PyObject_CallFunction(object *callable, const char *format, ...);
void *PyThreadState_Get(void);
int PyList_Append(object *list, object *item);
void Py_DecRef(object *one);
extern char PyFrame_Type[];
extern char _PyRuntime[] __attribute__((weak));

/* More than a type has in any version, and less than what follows it in the interpreter's data. */
#define TYPE_BYTES  392
#define TYPE_AT     8
#define FRAME_AT    24 /* f_frame, from 3.11 on; before it is f_back */
#define OBJECT_LINE 40

static _Alignas(16) char own_type[1024];
static int version;

static void **word(void *base, size_t offset)
{
    return (void **)(void *)((char *)base + offset);
}

static int *line_of(object *frame)
{
    size_t offset = version >= 11 ? OBJECT_LINE : version == 10 ? 100 : 108;
    return (int *)(void *)((char *)frame + offset);
}

/* Where the thread's innermost frame stands. */
static void **innermost(void)
{
    void *thread = PyThreadState_Get();
    if (version <= 10)
        return word(thread, 24);
    if (version <= 12)
        return word(*word(thread, 56), version == 11 ? 8 : 0);
    uint64_t offset;
    memcpy(&offset, _PyRuntime + (version == 13 ? 184 : 208), sizeof offset);
    return word(thread, offset);
}

/* Puts the frame on the chain; returns what was innermost. */
static void *enter(object *frame)
{
    void **at = innermost(), *before = *at;
    memcpy(own_type, PyFrame_Type, TYPE_BYTES);
    *word(frame, TYPE_AT) = own_type;
    if (version >= 11) {
        void *inner = *word(frame, FRAME_AT);
        *word(inner, version == 11 ? 48 : 8) = before;
        *word(inner, version == 11 ? 40 : 48) = frame;
        *at = inner;
    } else {
        *at = frame;
    }
    return before;
}

static void leave(object *frame, void *before)
{
    *innermost() = before;
    if (version >= 11)
        *word(*word(frame, FRAME_AT), version == 11 ? 48 : 8) = NULL;
    *word(frame, TYPE_AT) = PyFrame_Type;
    *line_of(frame) = 0;
    Py_DecRef(frame);
}

static void keep(object *list, object *one)
{
    PyList_Append(list, one);
    Py_DecRef(one);
}

/* At each even line a block of 10,000 bytes and as many as the line, and a call with the line; at
 * the odd one after it a block. */
void work(int minor, object *code, object *globals, object *list, object *callable, int first,
          int last)
{
    version = minor;
    object *frame = PyFrame_New(PyThreadState_Get(), code, globals, NULL);
    void *before = enter(frame);
    for (int line = first; line <= last; line++) {
        *line_of(frame) = line;
        keep(list, PyBytes_FromStringAndSize(NULL, 10000 + line));
        if (line % 2 == 0)
            keep(list, PyObject_CallFunction(callable, "i", line));
    }
    leave(frame, before);
}
