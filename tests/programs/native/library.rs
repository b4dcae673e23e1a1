// The Rust part of test_native_symbols.c: a generic function, and one that is inlined.
use std::sync::atomic::{AtomicU32, Ordering};

static KEPT: AtomicU32 = AtomicU32::new(0);

mod shapes {
    use super::*;

    #[inline(never)]
    pub fn grow<Value: Into<u32>>(value: Value, capture: extern "C" fn()) {
        capture(); // grow
        KEPT.fetch_add(value.into(), Ordering::SeqCst);
    }

    #[inline(always)]
    pub fn shrink(capture: extern "C" fn()) {
        capture(); // shrink
        KEPT.fetch_sub(1, Ordering::SeqCst);
    }
}

#[no_mangle]
pub extern "C" fn exercise(capture: extern "C" fn()) {
    shapes::grow(3u8, capture);
    shapes::shrink(capture); // exercise shrink
    KEPT.fetch_add(1, Ordering::SeqCst);
}
