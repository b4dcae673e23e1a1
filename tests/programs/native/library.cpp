// The C++ part of test_native_symbols.c: templates, members, inlined calls, an unnamed namespace.
typedef void capture_function();

int kept;

namespace shapes {

template <typename Value> struct Box {
    Value value;
    __attribute__((noinline)) void grow(capture_function *capture)
    {
        capture(); // grow
        value++;
    }
    __attribute__((always_inline)) void shrink(capture_function *capture)
    {
        capture(); // shrink
        value--;
    }
};

} // namespace shapes

namespace {

__attribute__((noinline)) void local(capture_function *capture)
{
    capture(); // local
    kept++;
}

} // namespace

extern "C" void exercise(capture_function *capture)
{
    shapes::Box<int> box{kept};
    box.grow(capture);
    box.shrink(capture); // exercise shrink
    local(capture);
    auto lambda = [&](int step) __attribute__((noinline)) {
        capture(); // lambda
        kept += step;
    };
    lambda(2);
    kept += box.value;
}
