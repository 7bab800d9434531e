mod digits;
mod orders;
mod reports;
mod rig;
mod speech;
mod trust;
