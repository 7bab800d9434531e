//! What the admin API measures.

use ipdect_node::Metric;
use metrics::Unit;

/// Every metric of the admin API.
pub const METRICS: &[Metric] = &[
    Metric::gauge(
        "ipdect_admin_bootstrap_password",
        Unit::Count,
        "1 while the first password of `admin` was not changed.",
        &[],
    ),
    Metric::counter(
        "ipdect_admin_logins_total",
        "Logins that were tried.",
        &["result"],
    ),
];
