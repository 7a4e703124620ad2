"""
Alibaba Cloud, as its pages have it.
"""

# Vendor: the regions of Image Moderation 2.0, international and mainland, and which of them have a VPC endpoint.
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
# Vendor: London uses Singapore's console configuration; Silicon Valley and Frankfurt use Virginia's.
CONFIGURATION_GROUPS = (("ap-southeast-1", "eu-west-1"), ("us-east-1", "us-west-1", "eu-central-1"))
