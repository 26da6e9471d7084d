"""One package a service. A service imports `reference_impl.shared` and nothing of its neighbours."""
