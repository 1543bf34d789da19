"""The Web API's way to upload a file: ask where to, send it there, then share it."""

from __future__ import annotations

from urllib.parse import quote

from sandbox.slack.calls import ApiError, Args, channel_of
from sandbox.slack.files import StoredFile
from sandbox.slack.service import Slack
from sandbox.slack.state import BOT_USER, Json, Message


def get_upload_url(slack: Slack, args: Args) -> Json:
    size = args.number("length", 0)
    if size <= 0:
        raise ApiError("invalid_arguments")
    file = slack.files.reserve(args.needed("filename"), size)
    return {"upload_url": f"{slack.base_url}/upload/{file.id}", "file_id": file.id}


def complete_upload(slack: Slack, args: Args) -> Json:
    named = args.structure("files", "invalid_arguments")
    if not isinstance(named, list) or not named:
        raise ApiError("invalid_arguments")
    shared = tuple(_facts(slack, entry) for entry in named)
    target = args.text("channel_id") or args.text("channels")
    if target:
        channel = channel_of(slack.workspace, target.split(",")[0])
        if BOT_USER not in channel.members:
            raise ApiError("not_in_channel")
        text = args.text("initial_comment") or "\n".join(f"<{file['permalink']}|{file['title']}>" for file in shared)
        thread_ts = args.text("thread_ts")
        slack.workspace.post(
            Message(channel=channel.id, ts="", user=BOT_USER, text=text, thread_ts=thread_ts, files=shared)
        )
    return {"files": list(shared)}


def info(slack: Slack, args: Args) -> Json:
    file = slack.files.find(args.needed("file"))
    if file is None or file.content is None:
        raise ApiError("file_not_found")
    return {"file": file_facts(slack, file)}


def file_facts(slack: Slack, file: StoredFile) -> Json:
    """A file as events and `files.info` show it. https://docs.slack.dev/reference/objects/file-object"""
    address = f"{slack.base_url}/files-pri/{file.id}/{quote(file.name)}"
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "size": file.size_bytes,
        "mode": "hosted",
        "is_external": False,
        "url_private": address,
        "url_private_download": address,
        "permalink": f"{slack.base_url}/upload/{file.id}",
    }


def _facts(slack: Slack, entry: object) -> Json:
    file = slack.files.find(str(entry.get("id"))) if isinstance(entry, dict) else None
    if file is None or file.content is None or not isinstance(entry, dict):
        raise ApiError("file_not_found")
    return {
        "id": file.id,
        "name": file.name,
        "title": entry.get("title") or file.name,
        "size": file.size_bytes,
        "permalink": f"{slack.base_url}/upload/{file.id}",
    }
