// Functions in C++ that allocate at known lines, in ways that C does not have: the library of
// tests/integration/test_native_cxx.py, which knows each marked line by the name behind the mark.
#include <cstdlib>
#include <functional>
#include <new>
#include <pthread.h>
#include <string>
#include <vector>

#define EXPORT     extern "C" __attribute__((visibility("default")))
#define NOT_INLINE __attribute__((noinline, noclone))

namespace
{

// The compiler must neither leave an allocation out nor make a call a jump.
void *volatile kept;
volatile int calls;

NOT_INLINE void hold(std::size_t size)
{
    kept = std::malloc(size); //: hold
}

} // namespace

// --- exceptions ----------------------------------------------------------------------------------

namespace errors
{

struct Failure {
    char text[70'001];
};

// Allocates when it is left, by an exception too.
struct Guard {
    std::size_t size;
    NOT_INLINE ~Guard()
    {
        hold(size); //: guard
        calls = calls + 1;
    }
};

NOT_INLINE void fail(int depth)
{
    if (depth == 0)
        throw Failure(); //: throw
    fail(depth - 1);     //: deeper
    calls = calls + 1;
}

template <typename Depth> NOT_INLINE void guarded(Depth depth)
{
    Guard guard{70'002};
    fail(depth); //: guarded
}

// Lets it go on after a look at it.
NOT_INLINE void pass_on(int depth)
{
    try {
        guarded<int>(depth); //: pass
    } catch (const Failure &failure) {
        hold(70'003 + failure.text[0]); //: look
        throw;
    }
}

} // namespace errors

EXPORT void catch_one(int depth)
{
    try {
        errors::pass_on(depth); //: try
    } catch (const errors::Failure &failure) {
        hold(70'004 + failure.text[0]); //: catch
    }
    hold(70'005); //: caught
    calls = calls + 1;
}

// Exceptions from ever deeper down, and after each an allocation at another depth.
static NOT_INLINE void hold_below(std::size_t size, int depth)
{
    if (depth == 0)
        hold(size); //: bottom
    else
        hold_below(size, depth - 1); //: below
    calls = calls + 1;
}

EXPORT void catch_many(int count)
{
    for (int depth = 0; depth < count; depth++) {
        try {
            errors::fail(depth); //: many
        } catch (const errors::Failure &) {
            hold_below(80'000 + depth, (depth * 7) % 10); //: other
        }
    }
}

// --- before and after everything else ------------------------------------------------------------

namespace
{

// Allocates when it is made and when it ends.
struct Holder {
    std::size_t size;
    NOT_INLINE explicit Holder(std::size_t size) : size(size)
    {
        hold(size); //: made
        calls = calls + 1;
    }
    NOT_INLINE ~Holder()
    {
        hold(size + 1); //: ended
        calls = calls + 1;
    }
};

Holder of_library(70'011); //: library

void at_exit()
{
    hold(70'021); //: exit
    calls = calls + 1;
}

} // namespace

EXPORT void register_at_exit()
{
    std::atexit(at_exit);
}

EXPORT void use_in_thread()
{
    thread_local Holder of_thread(70'031); //: thread
    calls = calls + static_cast<int>(of_thread.size);
}

static void *run_thread(void *)
{
    use_in_thread(); //: run
    calls = calls + 1;
    return nullptr;
}

EXPORT void in_a_thread()
{
    pthread_t thread;
    pthread_create(&thread, nullptr, run_thread, nullptr);
    pthread_join(thread, nullptr);
}

// --- templates, lambdas, what the standard library does ------------------------------------------

namespace shapes
{

template <typename Value> struct Pile {
    std::vector<Value> values;
    NOT_INLINE void add(Value value)
    {
        values.push_back(value); //: add
        calls = calls + 1;
    }
};

struct Large {
    char bytes[70'041];
};

struct Named {
    virtual ~Named() = default;
    virtual void name() = 0;
};

struct Sized {
    virtual ~Sized() = default;
    virtual void make(std::size_t size) = 0;
};

struct Both : Named, Sized {
    void name() override
    {
    }
    NOT_INLINE void make(std::size_t size) override
    {
        hold(size); //: virtual
        calls = calls + 1;
    }
};

} // namespace shapes

EXPORT void grow_vector(int count)
{
    auto *pile = new shapes::Pile<double>; //: pile
    kept = pile;
    for (int i = 0; i < count; i++)
        pile->add(i); //: vector
}

EXPORT void grow_string()
{
    auto *text = new std::string;
    kept = text;
    text->append(70'041, 'x'); //: append
    text->push_back('y');      //: push
}

EXPORT void make_function()
{
    shapes::Large large = {};
    auto count = [large] { calls = calls + large.bytes[0]; };
    auto *function = new std::function<void()>; //: empty
    kept = function;
    *function = count; //: function
    (*function)();
}

EXPORT void call_lambda(std::size_t size)
{
    std::size_t more = 1;
    auto lambda = [&](std::size_t given) __attribute__((noinline))
    {
        hold(given + more); //: lambda
        more++;
    };
    lambda(size); //: called
    calls = calls + static_cast<int>(more);
}

// Called through the second of two bases, so by way of a thunk.
EXPORT void call_virtual(std::size_t size)
{
    shapes::Both both;
    shapes::Sized *volatile sized = &both;
    sized->make(size); //: second
    calls = calls + 1;
}
