"""Reading prompts out of the providers' own request shapes, and answering in theirs.

Sources: OpenAI API reference, "Create chat completion"; Gemini API reference,
"models.generateContent"; Alibaba Cloud Model Studio, "DashScope chat".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """One provider's double: how it reads requests and shapes answers."""

    title: str
    model: str
    prompt: Callable[[Mapping[str, Any]], str | None]
    answer: Callable[["Said"], dict[str, Any]]

    @property
    def message(self) -> str:
        """What it always says."""
        return f"Stubbed {self.title} response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One exchange: what an answer is made of. `at_us` is microseconds since the epoch."""

    id: str
    at_us: int
    provider: str
    model: str
    prompt: str
    message: str

    @property
    def prompt_tokens(self) -> int:
        """About how many tokens the prompt has."""
        return -(-len(self.prompt) // CHARACTERS_A_TOKEN)

    @property
    def answer_tokens(self) -> int:
        """About how many tokens the answer has."""
        return -(-len(self.message) // CHARACTERS_A_TOKEN)

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.answer_tokens


def common_fields(said: Said) -> dict[str, Any]:
    """What every answer of a stub carries; `created` is RFC 3339, as all our times."""
    created = datetime.fromtimestamp(said.at_us / 1e6, UTC).isoformat(timespec="milliseconds")
    return {
        "id": said.id,
        "provider": said.provider,
        "received": said.prompt,
        "created": created.replace("+00:00", "Z"),
        "message": said.message,
    }


def prompt_in(stub: Stub, body: Mapping[str, Any]) -> str | None:
    """The prompt of {"prompt": text} or of the provider's own shape; None when there is none."""
    if "prompt" in body:
        return body["prompt"] if isinstance(body["prompt"], str) else None
    return stub.prompt(body)


def _messages(messages: Any, parts: str = "content") -> str | None:
    """The text of the last message that a user sent."""
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return None
    sent = [one for one in messages if one.get("role", "user") == "user"]
    return _text(sent[-1].get(parts)) if sent else None


def _text(content: Any) -> str | None:
    """Plain text, or the texts of a list of parts; parts of other kinds are passed over."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return None
    texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    return "".join(texts) if texts or not content else None


def _openai_prompt(body: Mapping[str, Any]) -> str | None:
    return _messages(body.get("messages"))


def _openai_answer(said: Said) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.message}
    return {
        "object": "chat.completion",
        "model": said.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.answer_tokens,
            "total_tokens": said.tokens,
        },
    }


def _gemini_prompt(body: Mapping[str, Any]) -> str | None:
    return _messages(body.get("contents"), parts="parts")


def _gemini_answer(said: Said) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": said.message}]}
    return {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": said.prompt_tokens,
            "candidatesTokenCount": said.answer_tokens,
            "totalTokenCount": said.tokens,
        },
        "modelVersion": said.model,
        "responseId": said.id,
    }


def _qwen_prompt(body: Mapping[str, Any]) -> str | None:
    given = body.get("input")
    if not isinstance(given, dict):
        return None
    if isinstance(given.get("prompt"), str):
        return str(given["prompt"])
    return _messages(given.get("messages"))


def _qwen_answer(said: Said) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.message}
    return {
        "request_id": said.id,
        "output": {"choices": [{"finish_reason": "stop", "message": message}]},
        "usage": {
            "input_tokens": said.prompt_tokens,
            "output_tokens": said.answer_tokens,
            "total_tokens": said.tokens,
        },
    }


STUBS: Mapping[str, Stub] = {
    "qwen": Stub(title="Qwen", model="qwen-plus", prompt=_qwen_prompt, answer=_qwen_answer),
    "gemini": Stub(
        title="Gemini", model="gemini-2.5-flash", prompt=_gemini_prompt, answer=_gemini_answer
    ),
    "openai": Stub(
        title="OpenAI", model="gpt-4o-mini", prompt=_openai_prompt, answer=_openai_answer
    ),
}
