"""
Alibaba Cloud's 1.0 service (version 2018-05-09), which scans images and takes feedback, as its pages have it.
"""

from typing import Literal

from consumer.vendor_facts.aliyun import DOMAIN
from consumer.vendor_facts.vendor import OnlyService

PROVIDER = "aliyun-scan-1.0"
"""What verdicts call it."""

SERVICE = "scan-1.0"
"""The one service that it has, in the words of policies and verdicts: what is asked there is a list of scenes."""

ONLY_SERVICE = OnlyService(SERVICE, never_tells=("library", "figure", "logo"))

REGIONS = ("cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1")
"""
Of both, scans and feedback. Their console configurations are not said to be shared, so none stands in for another.
"""

DEFAULT_QPS = 50
"""Images a second, of an account."""

FEEDBACK_QPS = 20.0
"""Calls with feedback a second, likewise."""

Scene = Literal["porn", "terrorism", "ad", "qrcode", "live", "logo"]

LABELS = {
    "porn": ("normal", "sexy", "porn"),
    "terrorism": (
        "normal", "bloody", "explosion", "outfit", "logo", "weapon", "politics", "violence", "crowd", "parade",
        "carcrash", "flag", "location", "drug", "gamble", "others",
    ),
    "ad": (
        "normal", "ad", "politics", "porn", "abuse", "terrorism", "contraband", "spam", "npx", "qrcode", "programCode",
    ),
    "qrcode": ("normal", "qrcode", "programCode"),
    "live": ("normal", "meaningless", "PIP", "smoking", "drivelive", "drug", "gamble"),
    "logo": ("normal", "TV", "trademark"),
}  # fmt: skip
"""By scene."""

PREFIX = "v1:"
LISTED = frozenset(f"{PREFIX}{scene}:{label}" for scene, labels in LABELS.items() for label in labels)
"""Its labels, as policies and verdicts have them: `v1:<scene>:<label>`."""


def base_url(region: str) -> str:
    """Where a region is called. No page names hosts inside the provider's VPC."""
    return f"https://green.{region}.{DOMAIN}"
