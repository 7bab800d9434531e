//! The stores from outside: one suite for all, and what a disk or a kill can do to the file.

mod conformance;
