"""Training of ControlNets and of the pocket family; arrives with its own part."""
