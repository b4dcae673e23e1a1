// Every form of `new` and `delete`, each at a line of its own: the library of
// tests/integration/test_native_allocators.py, which knows each marked line by the name behind the
// mark.
#include <cstddef>
#include <new>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace
{

template <std::size_t Size> struct Plain {
    char bytes[Size];
};

// One whose arrays know how many there are.
struct Ended {
    char bytes[1'000];
    ~Ended()
    {
        ended = ended + 1;
    }
    static volatile int ended;
};

volatile int Ended::ended;

struct alignas(128) Aligned {
    char bytes[1'280];
};

struct Held {
    Plain<1'001> *one;
    Plain<1'002> *quiet;
    Plain<1'003> *several;
    Ended *counted;
    Aligned *aligned;
    Aligned *aligned_several;
    Aligned *aligned_quiet;
    void *raw, *raw_aligned;
} volatile held;

} // namespace

EXPORT void make_all()
{
    held.one = new Plain<1'001>;                                     //: new
    held.quiet = new (std::nothrow) Plain<1'002>;                    //: new_nothrow
    held.several = new Plain<1'003>[5];                              //: new_array
    held.counted = new Ended[7];                                     //: new_counted
    held.aligned = new Aligned;                                      //: new_aligned
    held.aligned_several = new Aligned[3];                           //: new_aligned_array
    held.aligned_quiet = new (std::nothrow) Aligned[4];              //: new_aligned_nothrow
    held.raw = operator new(1'004);                                  //: operator
    held.raw_aligned = operator new[](1'024, std::align_val_t(256)); //: operator_aligned
}

EXPORT void delete_all()
{
    delete held.one;
    delete held.quiet;
    delete[] held.several;
    delete[] held.counted;
    delete held.aligned;
    delete[] held.aligned_several;
    delete[] held.aligned_quiet;
    operator delete(held.raw, std::size_t(1'004));
    operator delete[](held.raw_aligned, std::size_t(1'024), std::align_val_t(256));
}
