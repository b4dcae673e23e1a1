// Functions in Rust that allocate at known lines: the library of tests/integration/
// test_native_rust.py, which knows each marked line by the name behind the mark.
use std::hint::black_box;
use std::panic;

/// Its memory stays.
fn keep<Value>(value: Value) {
    std::mem::forget(black_box(value));
}

mod shapes {
    #[inline(never)]
    pub fn grow<Value: From<u16>>(values: &mut Vec<Value>, count: u16) {
        for number in 0..count {
            values.push(Value::from(number)); //: grow
        }
    }

    #[inline(always)]
    pub fn inlined(size: usize) -> Vec<u8> {
        Vec::with_capacity(size) //: inlined
    }
}

mod errors {
    /// Allocates when it is left, by a panic too.
    pub struct Guard(pub usize);

    impl Drop for Guard {
        #[inline(never)]
        fn drop(&mut self) {
            super::keep(vec![1u8; self.0]); //: guard
        }
    }

    #[inline(never)]
    pub fn fail(depth: u32) -> u32 {
        if depth == 0 {
            std::panic::resume_unwind(Box::new([1u8; 70_001])); //: fail
        }
        let result = fail(depth - 1); //: deeper
        std::hint::black_box(result) + 1
    }

    #[inline(never)]
    pub fn guarded(depth: u32) -> u32 {
        let _guard = Guard(70_002);
        fail(depth) //: guarded
    }
}

#[no_mangle]
pub extern "C" fn make_vector(size: usize) {
    keep(shapes::inlined(size)); //: vector
}

#[no_mangle]
pub extern "C" fn make_box() {
    keep(Box::new([1u8; 70_012])); //: box
}

#[no_mangle]
pub extern "C" fn make_string() {
    let mut text = String::with_capacity(70_013); //: string
    text.push_str("x");
    text.reserve_exact(80_013); //: reserve
    keep(text);
}

#[no_mangle]
pub extern "C" fn grow_vector(count: u16) {
    let mut values: Vec<u64> = Vec::new();
    shapes::grow(&mut values, count); //: values
    keep(values);
}

#[no_mangle]
pub extern "C" fn catch_one(depth: u32) {
    let result = panic::catch_unwind(|| errors::guarded(depth)); //: try
    keep(result);
    keep(shapes::inlined(70_003)); //: caught
}

fn expect_number() -> u32 {
    let none: Option<u32> = black_box(None);
    none.expect("a number") //: expect
}

/// What panics usually do: with a message, and a hook that sees it.
#[no_mangle]
pub extern "C" fn catch_message(size: usize) {
    panic::set_hook(Box::new(move |_| keep(vec![1u8; size]))); //: hook
    let result = panic::catch_unwind(expect_number); //: attempt
    drop(panic::take_hook());
    drop(result);
    keep(shapes::inlined(size + 1)); //: recovered
}

#[no_mangle]
pub extern "C" fn in_a_thread(size: usize) {
    let thread = std::thread::spawn(move || keep(vec![1u8; size])); //: thread
    thread.join().unwrap();
}
