//! What must hold of the repository as a whole: layers, sizes, habits of the tests, tables that must stay complete.
//!
//! Each rule is one test; the tables are data. A rule is changed here together with the page that states it.

mod tidy {
    mod coverage;
    mod exam;
    mod layers;
    mod sources;
    mod style;
    mod tables;
}
