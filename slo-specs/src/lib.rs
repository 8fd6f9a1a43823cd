//! slo-specs
