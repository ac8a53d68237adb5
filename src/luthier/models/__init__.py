"""Floor 2: base models, adapters, heads and the frozen prefix."""

import logging

# PEFT loads bitsandbytes where it is installed, which then asks for a package of the hub.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
