//! Weighted window sums.
