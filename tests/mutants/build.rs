//! Plants the mutants: only the packages beside this file are built with them, from the same sources
//! as the product. No feature of the product's packages can do it.

fn main() {
    println!("cargo::rustc-cfg=placet_mutants");
    println!("cargo::rustc-check-cfg=cfg(placet_mutants)");
    println!("cargo::rerun-if-changed=../build.rs");
}
