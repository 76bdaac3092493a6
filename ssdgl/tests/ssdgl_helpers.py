"""What the SSDGL tests share beside fixtures."""

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


VARIANTS = {  # golden file: network variant, attention ratio
    "ssdgl": ("v2022", 16),
    "ssdgl_ip": ("v2022", 24),
    "ssdgl_small": ("v2022-fewshot", 16),
    "ssdgl2021": ("v2021", 16),
    "ssdgl_hos": ("houston", 18),
}
