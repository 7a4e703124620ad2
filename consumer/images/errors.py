"""
Why an image was not fetched.
"""


class NotFetched(Exception):
    """
    An image was not fetched. `code` is a short stable word; `again` says whether another try may succeed.

    `answered` says whether what was asked has answered, and so works; `throttled`, whether it asks us to come later.

    `detail` says more of it to operators, in words of ours and without a user or a query.

        never asked for   url, scheme, userinfo, host, port, address_refused, redirect_limit, redirect_downgrade
        not reached       dns, connect, tls, proxy, timeout
        answered          not_found, denied, not_http, http_404 and the like
        not read          content_encoding, too_large, truncated, empty, not_a_list
    """

    def __init__(
        self, code: str, *, again: bool = False, detail: str = "", answered: bool = False, throttled: bool = False
    ) -> None:
        super().__init__(f"{code} ({detail})" if detail else code)
        self.code = code
        self.again = again
        self.answered = answered
        self.throttled = throttled
        self.detail = detail
