//! A program that says a word and then does nothing for ever: what the tests of the runner run.

#![expect(clippy::print_stdout, reason = "it is a program that prints")]

fn main() {
    println!("ready");
    loop {
        std::thread::park();
    }
}
