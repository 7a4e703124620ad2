"""The vendor's own SDK of the 1.0 API, as it is, against an emulator."""

import asyncio
from typing import Any

import orjson
from aliyunsdkcore.client import AcsClient
from aliyunsdkgreen.request.v20180509.ImageAsyncScanRequest import ImageAsyncScanRequest
from aliyunsdkgreen.request.v20180509.ImageAsyncScanResultsRequest import ImageAsyncScanResultsRequest
from aliyunsdkgreen.request.v20180509.ImageScanFeedbackRequest import ImageScanFeedbackRequest
from aliyunsdkgreen.request.v20180509.ImageSyncScanRequest import ImageSyncScanRequest
from aliyunsdkgreen.request.v20180509.UploadCredentialsRequest import UploadCredentialsRequest

from consumer.emulator import EmulatorSettings

ACCOUNT = EmulatorSettings()
SECRET = ACCOUNT.access_key_secret.get_secret_value()

OPERATIONS = {
    "scan": ImageSyncScanRequest,
    "asyncscan": ImageAsyncScanRequest,
    "results": ImageAsyncScanResultsRequest,
    "feedback": ImageScanFeedbackRequest,
    "uploadcredentials": UploadCredentialsRequest,
}


def sdk(endpoint: str, key_id: str = ACCOUNT.access_key_id, secret: str = SECRET, **more: Any) -> AcsClient:
    """A client; requests say the host, and it the port."""
    port = int(endpoint.rpartition(":")[2])
    given = more or {"ak": key_id, "secret": secret}
    return AcsClient(**given, region_id="cn-shanghai", port=port, auto_retry=False)


async def ask(endpoint: str, operation: str, content: Any, client: AcsClient | None = None) -> dict[str, Any]:
    """One call: the answer's JSON. Raises what the SDK raises."""
    request = OPERATIONS[operation]()
    request.set_accept_format("JSON")
    request.set_content(content if isinstance(content, bytes) else orjson.dumps(content))
    request.set_endpoint(endpoint.partition(":")[0])
    answered = await asyncio.to_thread((client or sdk(endpoint)).do_action_with_exception, request)
    body: dict[str, Any] = orjson.loads(answered)
    return body


def tasks(*urls: str, scenes: tuple[str, ...] = ("porn", "terrorism"), **more: Any) -> dict[str, Any]:
    """The content of a scan of these images, numbered by `dataId`."""
    return {"tasks": [{"dataId": f"d-{n}", "url": url} for n, url in enumerate(urls)], "scenes": list(scenes), **more}


def said(entry: dict[str, Any]) -> dict[str, str]:
    """What an image was answered: the suggestion by scene."""
    return {each["scene"]: each["suggestion"] for each in entry["results"]}
