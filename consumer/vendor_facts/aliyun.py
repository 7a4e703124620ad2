"""
Alibaba Cloud, as its pages have it.
"""

from importlib.resources import files
from typing import Literal

from consumer.vendor_facts.catalogue import read
from consumer.vendor_facts.vendor import OwnStore

PROVIDER = "aliyun-image-moderation-2.0"
"""What verdicts call it."""

# Its own tools read these variables.
KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
SECURITY_TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"
KEY_VARIABLES = {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET, "security_token": SECURITY_TOKEN}

DEFAULT_REGION = "ap-southeast-1"
# The regions of Image Moderation 2.0, international and mainland, and which of them have a VPC endpoint.
REGIONS = {
    "ap-southeast-1": True,
    "eu-west-1": False,
    "us-east-1": True,
    "us-west-1": False,
    "eu-central-1": True,
    "cn-shanghai": True,
    "cn-beijing": True,
    "cn-hangzhou": True,
    "cn-shenzhen": True,
    "cn-chengdu": False,
}
# London uses Singapore's console configuration; Silicon Valley and Frankfurt use Virginia's.
CONFIGURATION_GROUPS = (("ap-southeast-1", "eu-west-1"), ("us-east-1", "us-west-1", "eu-central-1"))


DOMAIN = "aliyuncs.com"  # of every API of the vendor's


def base_url(region: str, *, vpc: bool) -> str:
    """Where a region is called."""
    return f"https://green-cip{'-vpc' if vpc else ''}.{region}.{DOMAIN}"


LIBRARIES_REGION = "cn-shanghai"
LIBRARIES_URL = f"https://green.{LIBRARIES_REGION}.{DOMAIN}"
"""Where libraries of the 1.0 service are kept; no other region has operations for them."""


def is_vendors(host: str) -> bool:
    """Whether a host is one of the vendor's."""
    return host.lower().rstrip(".").endswith(f".{DOMAIN}")


DEFAULT_SERVICE = "baselineCheck_global"
_MAINLAND = "cn-"  # begins the names of its regions
_INTERNATIONAL = "_global"  # ends the names of its services


def is_offered(service: str, region: str) -> bool:
    """Whether a region may have a service. Vendor: international services are outside of the Chinese mainland only."""
    return not (service.endswith(_INTERNATIONAL) and region.startswith(_MAINLAND))


DOCUMENTED = (DEFAULT_SERVICE, "aigcDetector_global")
"""The services that the page has for the regions outside of the mainland. It says nothing of those inside."""


def is_documented(service: str, region: str) -> bool:
    """Whether the page has a service for a region, or says nothing of the region."""
    return service in DOCUMENTED or region.startswith(_MAINLAND)


ADVANCED_INFO = frozenset({"publicFigure", "logoData"})
"""Vendor: they need an advanced service."""
InfoType = Literal["customImage", "textInImage", "publicFigure", "logoData"]
"""What an answer's `Ext` can contain, if it is asked for."""

INFO_OF = {
    "recognised_text": ("textInImage",),
    "public_figures": ("publicFigure",),
    "keywords": ("textInImage",),
    "libraries": ("customImage", "textInImage"),
    "logos": ("logoData",),
    "locations": ("publicFigure", "logoData"),
}
"""Which of it each setting of `privacy` lets through."""

OSS_ROLE = "AliyunCIPScanOSSRole"
OWN_STORE = OwnStore("OSS", OSS_ROLE, tuple(REGIONS))
"""With which the provider reads buckets of the account's, once that is granted."""

NOTHING_FOUND = "nonLabel"
ALLOWLISTED = "nonLabel_lib"  # ends like a hit of a custom library, and is the opposite
LIBRARY = "_lib"  # ends a label that stands for a hit of a custom library
TEXT_LIBRARY = "_tii_lib"  # of one of keywords
LABEL_SUFFIXES = (LIBRARY, "_tii")  # a hit of a custom library, text in the image; they stack
CATALOGUE = read(files(__package__).joinpath("labels.json").read_bytes())
LISTED = {service: frozenset(labels) | {NOTHING_FOUND} for service, labels in CATALOGUE.services.items()}
"""The labels of each service whose labels the vendor lists."""
LABELS = LISTED[DEFAULT_SERVICE]
"""Those of `DEFAULT_SERVICE`. Those that end in `_tii` stand for text in the image."""
WITHOUT_CONFIDENCE = frozenset(
    label
    for labels in (*CATALOGUE.services.values(), CATALOGUE.shared)
    for label, has_one in labels.items()
    if not has_one
)
"""Labels whose findings have none."""


def is_listed(label: str, service: str = DEFAULT_SERVICE) -> bool:
    """Whether the vendor lists a label of a service in `LISTED`, as it stands or without some of its suffixes."""
    labels = LISTED[service]
    while label not in labels:
        suffix = next((suffix for suffix in LABEL_SUFFIXES if label.endswith(suffix)), None)
        if suffix is None:
            return False
        label = label.removesuffix(suffix)
    return True
