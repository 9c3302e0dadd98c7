"""The two services of ``slotline.v1``. May import everything of ``service.api`` but ``server``."""
