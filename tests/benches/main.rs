//! How fast is the spine, and beside whom? Method and reading of the table: `README.md`.

mod allocator;
mod answer;
mod bench;
mod forward;
mod g726;
mod handset;
mod memory;
mod parse;
mod peers;
mod rsipstack;
mod srtp;
mod transaction;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

fn main() {
    let mut bench = bench::Bench::new();
    parse::run(&mut bench);
    transaction::run(&mut bench);
    answer::run(&mut bench);
    handset::run(&mut bench);
    srtp::run(&mut bench);
    g726::run(&mut bench);
    forward::run(&mut bench);
    memory::run(&mut bench);
    bench.finish();
}
