//! Desired state without a control plane.
