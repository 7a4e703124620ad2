"""What people ask about a policy without a call: is it sound, does it do what its tests say, what changes, and why."""
