"""What runs next: admission, preemption, the plan of a step and its budget, drafts, and inputs to embed."""
