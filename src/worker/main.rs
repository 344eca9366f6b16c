//! The worker.

mod layers;

fn main() {
    println!("{}", tch::Cuda::is_available());
}
