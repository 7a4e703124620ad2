"""
S3 as Amazon's pages have it, and what stores that speak like it share.
"""

ANY_REGION = "us-east-1"
"""What stores other than Amazon's call theirs, unless they were told another name."""

VERSION_HEADERS = ("x-amz-version-id", "x-oss-version-id")
"""What says which version of an object an answer has."""
DATED_BY = (("x-amz-date", "x-amz-expires"), ("x-oss-date", "x-oss-expires"))
"""In presigned URLs of their fourth versions, in lower case: when they were signed, and for how many seconds."""
DENIED = "AccessDenied"

OF_OBJECTS = {
    "NoSuchKey": "not_found",
    "NoSuchVersion": "not_found",
    "MethodNotAllowed": "not_found",  # the version that was asked for says that the object was deleted
    "KeyTooLongError": "not_found",
    "InvalidObjectName": "not_found",
    "XMinioInvalidObjectName": "not_found",
    "SymlinkTargetNotExist": "not_found",
    "InvalidTargetType": "not_found",  # of a symbolic link
    DENIED: "denied",
    "InvalidObjectState": "archived",
    "PreconditionFailed": "changed",
}
"""
What is said of an object, by the codes that are about one. Vendor: S3's, and those that OSS and MinIO have beside them.

A code that stands in none of these tables, with a status below 500, is the account's: key, bucket, region, payment.
"""
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded", "DownloadTrafficRateLimitExceeded", "QpsLimitExceeded", "RequestLimitExceeded",
        "SlowDown", "SlowDownRead", "Throttling", "ThrottlingException", "TooManyRequests", "TotalQpsLimitExceeded",
    }
)  # fmt: skip
"""With these a store asks to come later."""
MAY_PASS = frozenset(
    {"InternalError", "OperationAborted", "Redirect", "RequestTimeout", "ServiceUnavailable", "TemporaryRedirect"}
)
"""Vendor: S3 redirects requests for a bucket that is new until its name is known everywhere."""
CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
OTHER_ENDPOINT = "other_endpoint"
"""Our word. Vendor: OSS answers AccessDenied, and names the endpoint that the bucket has."""

ADVICE = {
    "InvalidAccessKeyId": "the store does not know the key: see key_files, or the environment's",
    "SignatureDoesNotMatch": "the secret is not the key's, or something on the way changes requests, such as a proxy",
    "ExpiredToken": "the temporary key has expired: see what renews it",
    "InvalidToken": "the key's security token is another key's, or missing: see security-token",
    "NoSuchBucket": "there is no such bucket: see the binding, and the store's endpoint and region",
    "PermanentRedirect": "the bucket is in another region: see the store's region and endpoint",
    "AuthorizationHeaderMalformed": "the bucket is in another region: see the store's region",
    OTHER_ENDPOINT: "the bucket is at another endpoint: see the store's region and endpoint",
    "InvalidArgument": "if it says so of every object, the region is another: see the store's region",
    DENIED: "the key may not read the bucket, or there is another policy in the way: see the store's rights",
    "no_credentials": "no key was found: set key_files, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
    "machine a role",
}
"""What can be done about a refusal, by its code."""
