//! Reading typed things out of the tree, keyword first, with "did you mean".
