//! The program `avec`. All it does is in the library's `cli` module.

fn main() -> std::process::ExitCode {
    avec::cli::run()
}
