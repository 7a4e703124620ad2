"""
S3 as Amazon's pages have it, and what stores that speak like it share.
"""

ANY_REGION = "us-east-1"
"""What stores other than Amazon's call theirs, unless they were told another name."""

ACCOUNT_CODES = frozenset(
    {
        "AccountProblem", "AllAccessDisabled", "AuthorizationHeaderMalformed", "ExpiredToken",
        "IllegalLocationConstraintException", "InvalidAccessKeyId", "InvalidBucketName", "InvalidSecurity",
        "InvalidToken", "NoSuchBucket", "NotSignedUp", "PermanentRedirect", "SignatureDoesNotMatch",
        "TokenRefreshRequired", "Unauthorized", "UnauthorizedAccess", "XAmzContentSHA256Mismatch",
    }
)  # fmt: skip
"""Vendor: S3's; stores that speak like it share them. PermanentRedirect: the bucket is in another region."""
CLOCK_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired"})

ADVICE = {
    "InvalidAccessKeyId": "the store does not know the key: see key_files, or the environment's",
    "SignatureDoesNotMatch": "the secret is not the key's, or something on the way changes requests, such as a proxy",
    "ExpiredToken": "the temporary key has expired: see what renews it",
    "InvalidToken": "the key's security token is another key's, or missing: see security-token",
    "NoSuchBucket": "there is no such bucket: see the binding, and the store's endpoint and region",
    "PermanentRedirect": "the bucket is in another region: see the store's region and endpoint",
    "AuthorizationHeaderMalformed": "the bucket is in another region: see the store's region",
    "no_credentials": "no key was found: set key_files, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
    "machine a role",
}
"""What can be done about a refusal, by its code."""
