from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_stubs.domain.chat import STUBS, Said, common_fields, prompt_in

USER = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("provider", "body", "prompt"),
    [
        ("openai", {"prompt": "p"}, "p"),
        ("openai", {"prompt": ""}, ""),
        ("openai", {"messages": [USER]}, "hello"),
        ("openai", {"messages": [{"role": "system", "content": "be kind"}, USER]}, "hello"),
        ("openai", {"messages": [USER, {"role": "assistant", "content": "hi"}]}, "hello"),
        (
            "openai",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "see "},
                            {"type": "image_url", "image_url": {"url": "u"}},
                            {"type": "text", "text": "this"},
                        ],
                    }
                ]
            },
            "see this",
        ),
        ("gemini", {"contents": [{"parts": [{"text": "a"}, {"text": "b"}]}]}, "ab"),
        (
            "gemini",
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "first"}]},
                    {"role": "model", "parts": [{"text": "answer"}]},
                    {"role": "user", "parts": [{"text": "second"}]},
                ]
            },
            "second",
        ),
        ("qwen", {"input": {"prompt": "p"}}, "p"),
        ("qwen", {"input": {"messages": [USER]}}, "hello"),
    ],
)
def test_finds_the_prompt_in_each_shape(provider: str, body: dict[str, Any], prompt: str) -> None:
    assert prompt_in(STUBS[provider], body) == prompt


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("openai", {}),
        ("openai", {"prompt": 7}),
        ("openai", {"prompt": None}),
        ("openai", {"contents": [{"parts": [{"text": "a"}]}]}),
        ("openai", {"messages": []}),
        ("openai", {"messages": "hello"}),
        ("openai", {"messages": ["hello"]}),
        ("openai", {"messages": [{"role": "user"}]}),
        ("openai", {"messages": [{"role": "user", "content": ["x"]}]}),
        ("openai", {"messages": [{"role": "assistant", "content": "hi"}]}),
        ("gemini", {"messages": [USER]}),
        ("gemini", {"contents": [{"parts": "a"}, {"parts": 1}]}),
        ("qwen", {"messages": [USER]}),
        ("qwen", {"input": "text"}),
        ("qwen", {"input": {}}),
    ],
)
def test_what_holds_no_prompt_is_told(provider: str, body: dict[str, Any]) -> None:
    assert prompt_in(STUBS[provider], body) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prompt", "messages", "contents", "input", "role", "content", "parts", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(STUBS)), json_values)
def test_no_body_breaks_the_reader(provider: str, body: Any) -> None:
    if isinstance(body, dict):
        found = prompt_in(STUBS[provider], body)
        assert found is None or isinstance(found, str)


def test_an_answer_says_what_was_received_and_when() -> None:
    said = Said(
        id="i",
        at_us=1_700_000_000_123_456,
        provider="openai",
        model="m",
        prompt="p",
        message=STUBS["openai"].message,
    )
    assert common_fields(said) == {
        "id": "i",
        "provider": "openai",
        "received": "p",
        "created": "2023-11-14T22:13:20.123Z",
        "message": "Stubbed OpenAI response",
    }
