//! How a page calls a WebAssembly module of ours, and the only room of the project with `unsafe` in it: to export a name counts as such.
//! A module names its questions with [`exports!`], and needs no room of its own.
//!
//! ```text
//! host                                              module
//! p = tallystick_input(n), writes n bytes at p ──▶  the question, of one or more parts
//! n = QUESTION(lengths of all parts but the last)   answers
//! p = tallystick_output(), reads n bytes at p  ◀──  the answer
//! ```
//! One question at a time: the host writes between two calls, never during one. Lengths that do not fit the input give an empty answer.
//! A host that is told of a trap throws the instance away. Not here: what is asked and answered.

use std::cell::RefCell;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Exports the two pieces of memory, and questions by name. An answer is a function of the input and the numbers that the host gives, to
/// bytes or none; a number is a constant that the host may ask for.
#[macro_export]
macro_rules! exports {
    (questions { $($(#[$when:meta])* $question:ident($($number:ident),*) => $answer:expr;)* } numbers { $($name:ident = $value:expr;)* }) => {
        /// Room for a question of so many bytes, at the address that it returns.
        #[unsafe(no_mangle)]
        pub extern "C" fn tallystick_input(length: usize) -> *mut u8 {
            $crate::input(length)
        }
        /// Where the last answer stands.
        #[unsafe(no_mangle)]
        pub extern "C" fn tallystick_output() -> *const u8 {
            $crate::output()
        }
        $(
            $(#[$when])*
            /// Answers the question in the input; the length of the answer.
            #[unsafe(no_mangle)]
            pub extern "C" fn $question($($number: usize),*) -> usize {
                $crate::answer(|input| ($answer)(input, $($number),*))
            }
        )*
        $(
            /// A number that the host may ask for.
            #[unsafe(no_mangle)]
            pub extern "C" fn $name() -> usize {
                $value
            }
        )*
    };
}

/// Room for a question of `length` bytes, at the address that it returns. The one before is gone.
pub fn input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Where the last answer stands.
pub fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// Answers the question in the input; the length of the answer.
pub fn answer(of: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> usize {
    let answer = INPUT.with_borrow(|input| of(input)).unwrap_or_default();
    let length = answer.len();
    OUTPUT.replace(answer);
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(length: usize) -> Vec<u8> {
        OUTPUT.with_borrow(|output| output[..length].to_vec())
    }

    #[test]
    fn an_answer_is_of_the_input_and_replaces_the_one_before() {
        assert!(!input(3).is_null());
        INPUT.with_borrow_mut(|input| input.copy_from_slice(b"abc"));
        let length = answer(|input| Some(input.iter().rev().copied().collect()));
        assert_eq!(told(length), b"cba");
        assert_eq!(answer(|_| None), 0);
        input(2);
        let length = answer(|input| Some(input.to_vec()));
        assert_eq!(told(length), [0, 0], "nothing is left of the question before");
        assert_eq!(OUTPUT.with_borrow(|held| held.as_ptr()), output());
    }
}
