//! The domain with user agents around it: registration, calls, forking, CANCEL, and what it refuses.

mod calls;
mod refusals;
mod registrar;
mod town;
