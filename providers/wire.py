"""The providers' own HTTP wire formats, for one prompt and a bound on the answer's tokens.

Sources: OpenAI API reference, "Create chat completion"; Gemini API reference,
"models.generateContent"; Alibaba Cloud Model Studio, "DashScope chat", the
native text generation API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from providers.settings import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One format: `body(model, prompt, tokens)` is posted to `path`."""

    path: str
    model: str
    body: Callable[[str, str, int], Mapping[str, Any]]
    # The header that carries the API key, and what stands before the key.
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "

    def path_for(self, model: str) -> str:
        """The path; only Gemini's names the model."""
        return self.path.format(model=model)

    def headers(self, api_key: str) -> dict[str, str]:
        """What proves who pays; nothing without a key."""
        return {self.key_header: self.key_prefix + api_key} if api_key else {}


def _openai(model: str, prompt: str, tokens: int) -> Mapping[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": model, "messages": messages, "max_completion_tokens": tokens}


def _gemini(_model: str, prompt: str, tokens: int) -> Mapping[str, Any]:
    contents = [{"role": "user", "parts": [{"text": prompt}]}]
    return {"contents": contents, "generationConfig": {"maxOutputTokens": tokens}}


def _qwen(model: str, prompt: str, tokens: int) -> Mapping[str, Any]:
    return {
        "model": model,
        "input": {"messages": [{"role": "user", "content": prompt}]},
        "parameters": {"max_tokens": tokens, "result_format": "message"},
    }


WIRES: Mapping[Api, Wire] = {
    "openai": Wire(path="/v1/chat/completions", model="gpt-4o-mini", body=_openai),
    "gemini": Wire(
        path="/v1beta/models/{model}:generateContent",
        model="gemini-2.5-flash",
        body=_gemini,
        key_header="x-goog-api-key",
        key_prefix="",
    ),
    "qwen": Wire(
        path="/api/v1/services/aigc/text-generation/generation", model="qwen-plus", body=_qwen
    ),
}
